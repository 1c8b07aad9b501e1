/** What the cards, their menus and the keys do with one scene. */
import { useLayoutEffect, useMemo, useState } from "react";
import { toast } from "sonner";
import { ask, http } from "@/api/client";
import type { Stage } from "@/api/contracts";
import type { SceneActions } from "@/components/Storyboard/actions";
import { attempt } from "@/components/tell";
import { announce } from "@/components/ui/Announcer";
import { isSettled } from "@/storyboard/board";
import { failureGroups } from "@/storyboard/failures";
import { asksForAnother } from "@/storyboard/plan";
import type { Sync } from "@/storyboard/sync";
import type { Arrangement } from "./arrangement";
import { saveSentence } from "./drafts";
import type { Presses } from "./useSceneGeneration";

interface Screen {
  open: (id: string) => void;
  edit: (id: string | null) => void;
  insert: (place: number) => void;
  focus: (id: string | null) => void; //: null: no card is left
}

/** `screen` may be another object each time; what is returned never is. */
export function useSceneActionsOn(projectId: string, sync: Sync, arrangement: Arrangement, presses: Presses, screen: Screen): SceneActions {
  const [held] = useState({ current: screen });
  useLayoutEffect(() => {
    held.current = screen;
  });
  return useMemo(() => actionsOn(projectId, sync, arrangement, presses, held), [projectId, sync, arrangement, presses, held]);
}

function actionsOn(projectId: string, sync: Sync, arrangement: Arrangement, presses: Presses, screen: { current: Screen }): SceneActions {
  const board = () => sync.read().known.board;
  const sentenceOf = (id: string) => board()?.sentences.get(id)?.value;
  const sceneOf = (id: string) => board()?.scenes.get(id)?.value;
  const path = (id: string) => ({ params: { path: { project_id: projectId, sentence_id: id } } });

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
    const request = () => ask(http.DELETE("/api/v1/projects/{project_id}/sentences/{sentence_id}", path(id)));
    const dropped = arrangement.drop(after, request);
    const next = after[Math.min(index, after.length - 1)] ?? null;
    screen.current.focus(next);
    if (!(await dropped)) {
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
    arrangement.arrange(order);
    announce(`Moved to place ${to + 1} of ${order.length}.`);
    screen.current.focus(id);
  }

  return {
    open: (id) => screen.current.open(id),
    edit: (id) => screen.current.edit(id),
    endEdit: (id) => {
      screen.current.edit(null);
      screen.current.focus(id);
    },
    save: (id, change) => attempt(saveSentence(sync, projectId, id, change)),
    lockSeed: (id, seed_locked) => void attempt(saveSentence(sync, projectId, id, { seed_locked })),
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
