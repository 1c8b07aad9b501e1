import { createContext, useContext, useSyncExternalStore } from "react";
import type { Fraction } from "@/storyboard/board";
import type { Sync } from "@/storyboard/sync";

export const SyncContext = createContext<Sync | null>(null);

/** How far the job of a scene is. Drawn by the one who asks, so that a step of one job is no matter of the others. */
export function useFraction(sceneId: string | null): Fraction | undefined {
  const sync = useContext(SyncContext);
  return useSyncExternalStore(sync?.subscribe ?? nothing, () => {
    return sceneId === null ? undefined : sync?.read().known.board?.fractions.get(sceneId);
  });
}

const nothing = () => () => {};
