import { act, render, screen } from "@testing-library/react";
import { Toaster } from "sonner";
import { expect, it, vi } from "vitest";
import { attempt } from "@/components/tell";
import { announce, Announcer } from "./Announcer";
import { Message } from "./Message";

function shown(text: string): string {
  return render(<Message text={text} />).container.innerHTML.replaceAll(/ class="[^"]*"/g, "");
}

it.each([
  ["The model is not there.", "The model is not there."],
  ["run `make models` again", "run <code>make models</code> again"],
  ["`make run` or `make demo`", "<code>make run</code> or <code>make demo</code>"],
  ["run `<b>make</b>` & <i>wait</i>", "run <code>&lt;b&gt;make&lt;/b&gt;</code> &amp; &lt;i&gt;wait&lt;/i&gt;"],
  ["a lonely ` is left", "a lonely ` is left"],
])("%s", (text, html) => {
  expect(shown(text)).toBe(`<span>${html}</span>`);
});

it("a toast says it without the backticks", async () => {
  render(<Toaster />);
  await act(() => attempt(Promise.reject(new Error("It is not here: run `make models`."))));
  expect(await screen.findByText("It is not here: run make models.")).toBeInTheDocument();
});

it("what is said aloud is said without the backticks", async () => {
  render(<Announcer />);
  act(() => announce("Run `make models`."));
  await vi.waitFor(() => expect(screen.getByRole("status")).toHaveTextContent("Run make models."));
});
