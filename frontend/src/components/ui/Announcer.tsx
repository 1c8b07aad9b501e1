import { useSyncExternalStore } from "react";
import { plainMessage } from "./Message";

/*
 * One region that is there before it has anything to say: screen readers miss text that arrives together
 * with the region it is in.
 */
let spoken = "";
const listeners = new Set<() => void>();

function set(text: string): void {
  spoken = text;
  for (const listener of listeners) listener();
}

/** Say this aloud to those who listen to the page. */
export function announce(text: string): void {
  // The same words twice are a change only if there was something else between.
  set("");
  setTimeout(() => set(plainMessage(text)), 60);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function Announcer() {
  const text = useSyncExternalStore(subscribe, () => spoken);
  return (
    <div role="status" aria-live="polite" className="sr-only" data-testid="announcer">
      {text}
    </div>
  );
}
