import "@testing-library/jest-dom/vitest";
import { cleanup, waitForElementToBeRemoved } from "@testing-library/react";
import { toast } from "sonner";
import { afterEach, vi } from "vitest";

const TOAST = "[data-sonner-toast]";

afterEach(async () => {
  // A toast leaves by its own clock, which must not strike when the window is gone.
  if (document.querySelector(TOAST)) {
    toast.dismiss();
    await waitForElementToBeRemoved(() => document.querySelector(TOAST));
  }
  cleanup();
});

// What jsdom lacks and the page's parts ask for.
vi.stubGlobal(
  "ResizeObserver",
  class {
    observe() {}
    unobserve() {}
    disconnect() {}
  },
);
window.matchMedia ??= ((media: string) => ({
  media,
  matches: false,
  addEventListener() {},
  removeEventListener() {},
})) as unknown as typeof window.matchMedia;
window.scrollTo = (() => {}) as typeof window.scrollTo;
Element.prototype.hasPointerCapture ??= () => false;
Element.prototype.setPointerCapture ??= () => {};
Element.prototype.scrollIntoView ??= () => {};
