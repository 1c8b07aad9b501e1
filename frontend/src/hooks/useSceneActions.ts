/** What the cards, their menus and the keys do with one scene. */
import { useLayoutEffect, useMemo, useState } from "react";
import { toast } from "sonner";
import { ask, http } from "@/api/client";
import type { EditSentence, Sentence, Stage } from "@/api/contracts";
import type { SceneActions } from "@/components/Storyboard/actions";
import { attempt } from "@/components/tell";
import { announce } from "@/components/ui/Announcer";
import { isSettled } from "@/storyboard/board";
import { failureGroups } from "@/storyboard/failures";
import { asksForAnother } from "@/storyboard/plan";
import type { Sync } from "@/storyboard/sync";
import type { Presses } from "./useSceneGeneration";

const REORDER_WAIT_MS = 350; //: a sentence is often moved several places, one after the other

interface Screen {
  open: (id: string) => void;
  edit: (id: string | null) => void;
  insert: (place: number) => void;
  focus: (id: string | null) => void; //: null: no card is left
}

/** `screen` may be another object each time; what is returned never is. */
export function useSceneActionsOn(projectId: string, sync: Sync, presses: Presses, screen: Screen): SceneActions {
  const [held] = useState({ current: screen });
  useLayoutEffect(() => {
    held.current = screen;
  });
  return useMemo(() => actionsOn(projectId, sync, presses, held), [projectId, sync, presses, held]);
}

function actionsOn(projectId: string, sync: Sync, presses: Presses, screen: { current: Screen }): SceneActions {
  const board = () => sync.read().known.board;
  const sentenceOf = (id: string) => board()?.sentences.get(id)?.value;
  const sceneOf = (id: string) => board()?.scenes.get(id)?.value;
  const path = (id: string) => ({ params: { path: { project_id: projectId, sentence_id: id } } });
  let reorderTimer: ReturnType<typeof setTimeout> | undefined; //: set while an order waits to be saved

  async function patch(id: string, body: EditSentence): Promise<Sentence> {
    const sentence = await ask(http.PATCH("/api/v1/projects/{project_id}/sentences/{sentence_id}", { ...path(id), body }));
    sync.dispatch({ type: "sentence_edited", sentence });
    return sentence;
  }

  async function makeAgain(id: string, stages: readonly Stage[], replace: readonly Stage[]): Promise<void> {
    const sentence = sentenceOf(id);
    if (!sentence) return;
    const vary = asksForAnother(sentence, replace);
    await presses.generate({ order: "images_first", stages: [...stages], replace: [...replace], sentence_ids: [id], vary, dry_run: false });
  }

  async function remove(id: string): Promise<void> {
    const known = board();
    if (!known) return;
    const index = known.order.indexOf(id);
    const after = known.order.filter((other) => other !== id);
    const moved = reorderTimer !== undefined;
    clearTimeout(reorderTimer);
    reorderTimer = undefined;
    sync.dispatch({ type: "arranged", order: after });
    const next = after[Math.min(index, after.length - 1)] ?? null;
    screen.current.focus(next);
    const request = async () => {
      if (moved) await reorder(known.order);
      await ask(http.DELETE("/api/v1/projects/{project_id}/sentences/{sentence_id}", path(id)));
    };
    if (!(await keepOrder(after, request()))) {
      if (next === null) screen.current.focus(id);
      return;
    }
    const restore = async () => {
      const request = http.POST("/api/v1/projects/{project_id}/sentences/{sentence_id}/restore", path(id));
      if (await attempt(ask(request))) sync.refresh();
      screen.current.focus(id);
    };
    toast(`Sentence ${index + 1} deleted`, { duration: 12_000, action: { label: "Undo", onClick: () => void restore() } });
  }

  function move(id: string, place: number): void {
    const known = board();
    if (!known) return;
    const from = known.order.indexOf(id);
    const to = Math.min(known.order.length, Math.max(1, place)) - 1;
    if (from < 0 || from === to) return;
    const order = known.order.filter((other) => other !== id);
    order.splice(to, 0, id);
    sync.dispatch({ type: "arranged", order });
    announce(`Moved to place ${to + 1} of ${order.length}.`);
    screen.current.focus(id);
    clearTimeout(reorderTimer);
    reorderTimer = setTimeout(() => {
      reorderTimer = undefined;
      void keepOrder(order, reorder(order));
    }, REORDER_WAIT_MS);
  }

  function reorder(order: readonly string[]): Promise<unknown> {
    const params = { path: { project_id: projectId } };
    return ask(http.POST("/api/v1/projects/{project_id}/sentences/reorder", { params, body: { sentence_ids: [...order] } }));
  }

  /** Whether the studio took the order that is shown already. */
  async function keepOrder(order: readonly string[], request: Promise<unknown>): Promise<boolean> {
    const taken = await attempt(request);
    sync.dispatch(taken ? { type: "order_answered", order } : { type: "order_refused" });
    sync.refresh();
    return taken;
  }

  return {
    open: (id) => screen.current.open(id),
    edit: (id) => screen.current.edit(id),
    endEdit: (id) => {
      screen.current.edit(null);
      screen.current.focus(id);
    },
    save: (id, change) => attempt(patch(id, change)),
    lockSeed: (id, seed_locked) => void attempt(patch(id, { seed_locked })),
    makeAgain: (id, stages, replace) => void attempt(makeAgain(id, stages, replace)),
    stop: (id) => {
      const scene = sceneOf(id);
      if (scene && !isSettled(scene)) void attempt(presses.cancelScene(scene));
    },
    retry: (id) => {
      const known = board();
      const failed = known ? failureGroups(known).flatMap((group) => group.failed) : [];
      void attempt(presses.retry(failed.filter(({ sentence }) => sentence.id === id)));
    },
    insert: (place) => screen.current.insert(place),
    remove: (id) => void remove(id),
    move,
  };
}
