import { useEffect, useRef } from "react";
import { preferences } from "@/preferences";

/** What each single key does. `card` is the sentence of the card that has the focus. */
export type Shortcuts = Record<string, (card: string | null) => void>;

const WRITING = "input, textarea, select, [contenteditable]";

export function useShortcuts(shortcuts: Shortcuts): void {
  const held = useRef(shortcuts);
  useEffect(() => {
    held.current = shortcuts;
  });
  useEffect(() => {
    function press(event: KeyboardEvent) {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
      const target = event.target instanceof Element ? event.target : null;
      if (target?.closest(WRITING) || target?.closest("[role=menu], [role=dialog], [role=alertdialog]")) return;
      // Enter and Space belong to the button or link they are pressed on.
      if ((event.key === "Enter" || event.key === " ") && target?.closest("button, a, summary")) return;
      if (!preferences().shortcuts && event.key.length === 1 && event.key !== "?") return;
      const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
      const act = held.current[name];
      if (!act) return;
      event.preventDefault();
      act(target?.closest<HTMLElement>("[data-sentence]")?.dataset.sentence ?? null);
    }
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, []);
}
