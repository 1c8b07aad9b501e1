import { createContext, useContext } from "react";
import type { Stage } from "@/api/contracts";

/** What can be done with one scene. The same object for the whole life of the page, so that cards stay still. */
export interface SceneActions {
  open: (id: string) => void;
  edit: (id: string) => void;
  save: (id: string, change: { text: string; prompt: string }) => Promise<boolean>;
  endEdit: (id: string) => void;
  lockSeed: (id: string, locked: boolean) => void;
  makeAgain: (id: string, stages: readonly Stage[], replace: readonly Stage[]) => void;
  stop: (id: string) => void;
  retry: (id: string) => void;
  insert: (place: number) => void;
  remove: (id: string) => void;
  move: (id: string, place: number) => void;
}

export const SceneActionsContext = createContext<SceneActions | null>(null);

export function useSceneActions(): SceneActions {
  const actions = useContext(SceneActionsContext);
  if (!actions) throw new Error("There are no scene actions outside of a storyboard.");
  return actions;
}
