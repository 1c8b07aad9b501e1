/** What this browser remembers of its user: theme, sounds, shortcuts, how a press is meant, measured times. */
import { useSyncExternalStore } from "react";
import type { Order, Stage } from "@/api/contracts";

export interface Preferences {
  theme: "system" | "light" | "dark";
  sound: boolean; //: a soft one when a run ends
  notifications: boolean; //: of the browser, when a run ends while nobody looks
  shortcuts: boolean; //: single keys do things
  stages: readonly Stage[]; //: of a press
  order: Order;
  cards: "large" | "small";
  seconds: Readonly<Record<string, number>>; //: measured, by what was made
}

const KEY = "videogen.preferences";

export const DEFAULTS: Preferences = {
  theme: "system",
  sound: false,
  notifications: false,
  shortcuts: true,
  stages: ["image", "video"],
  order: "images_first",
  cards: "large",
  seconds: {},
};

let held = load();
const listeners = new Set<() => void>();

function load(): Preferences {
  try {
    return { ...DEFAULTS, ...(JSON.parse(localStorage.getItem(KEY) ?? "{}") as Partial<Preferences>) };
  } catch {
    return DEFAULTS;
  }
}

export function preferences(): Preferences {
  return held;
}

export function prefer(change: Partial<Preferences>): void {
  held = { ...held, ...change };
  try {
    localStorage.setItem(KEY, JSON.stringify(held));
  } catch {
    // Storage may be forbidden or full: the choice lasts as long as the page.
  }
  tell();
}

function tell(): void {
  showTheme();
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function usePreferences(): Preferences {
  return useSyncExternalStore(subscribe, preferences);
}

/** Follow the system's theme and what other tabs of this browser choose. */
export function followPreferences(): void {
  matchMedia("(prefers-color-scheme: light)").addEventListener("change", showTheme);
  addEventListener("storage", (event) => {
    if (event.key !== KEY) return;
    held = load();
    tell();
  });
  showTheme();
}

export function shownTheme(): "light" | "dark" {
  if (held.theme !== "system") return held.theme;
  return matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark";
}

function showTheme(): void {
  const theme = shownTheme();
  document.documentElement.dataset.theme = theme;
  const canvas = theme === "light" ? "#f5f4f0" : "#111113";
  document.querySelector('meta[name="theme-color"]')?.setAttribute("content", canvas);
}
