/**
 * Everything the storyboard page knows and can do about generating scenes: the board, kept true by events,
 * and the creator's presses, shown in the same frame and confirmed by the coordinator.
 */
import { useEffect, useMemo, useState, useSyncExternalStore } from "react";
import { ask, http, Refusal } from "@/api/client";
import type { GenerateScenes, Run, Scene, Stage, Worker } from "@/api/contracts";
import { seeWorker } from "@/hooks/useWorkers";
import { type FailedScene, retriesOf } from "@/storyboard/failures";
import { makePlan } from "@/storyboard/plan";
import { Sync, type Synced } from "@/storyboard/sync";
import { Arrangement } from "./arrangement";
import { saveDrafts } from "./drafts";

export interface Presses {
  generate: (asked: GenerateScenes) => Promise<Run>;
  cancel: (runId: string) => Promise<void>;
  pause: (runId: string, stopRunning: boolean) => Promise<void>;
  resume: (runId: string) => Promise<void>;
  cancelScene: (scene: Scene) => Promise<void>;
  retry: (failed: readonly FailedScene[]) => Promise<void>;
  /** Whether it is for this tab to tell the creator that the run has ended. */
  claimEnd: (runId: string) => Promise<boolean>;
}

export interface SceneGeneration extends Synced {
  sync: Sync;
  arrangement: Arrangement;
  presses: Presses;
}

export function useSceneGeneration(projectId: string): SceneGeneration {
  const [sync] = useState(() => new Sync(projectId));
  useEffect(() => {
    sync.onWorker = (worker: Worker) => seeWorker(worker, Date.now());
    sync.start();
    return () => sync.stop();
  }, [sync]);
  const synced = useSyncExternalStore(sync.subscribe, sync.readStory);
  const [arrangement] = useState(() => new Arrangement(projectId, sync));
  const presses = useMemo(() => pressesOn(sync, arrangement, projectId), [sync, arrangement, projectId]);
  return { ...synced, sync, arrangement, presses };
}

export function pressesOn(sync: Sync, arrangement: Arrangement, projectId: string): Presses {
  const path = (runId: string) => ({ params: { path: { run_id: runId } } });

  async function answered(request: Promise<Run>): Promise<void> {
    sync.dispatch({ type: "run_answered", run: await request });
    sync.refresh();
  }

  /** The plan is frozen with the press, in the order and with the texts that the studio has then. */
  async function keepShown(ids: readonly string[] | null): Promise<void> {
    await arrangement.flush();
    await saveDrafts(sync, projectId, ids);
  }

  return {
    async generate(asked) {
      sync.dispatch({ type: "pressed", stages: firstStages(sync, asked) });
      try {
        await keepShown(asked.sentence_ids ?? null);
        const run = (await ask(
          http.POST("/api/v1/projects/{project_id}/generate-scenes", {
            params: { path: { project_id: projectId } },
            body: asked,
          }),
        )) as Run;
        sync.dispatch({ type: "press_answered", run });
        sync.refresh();
        return run;
      } catch (error) {
        sync.dispatch({ type: "press_refused" });
        if (error instanceof Refusal && error.status === 409) sync.refresh();
        throw error;
      }
    },
    async cancel(runId) {
      sync.dispatch({ type: "cancel_pressed", runId });
      try {
        await answered(ask(http.POST("/api/v1/runs/{run_id}/cancel", path(runId))));
      } catch (error) {
        sync.dispatch({ type: "cancel_refused", runId });
        throw error;
      }
    },
    pause(runId, stopRunning) {
      const body = { stop_running: stopRunning };
      return answered(ask(http.POST("/api/v1/runs/{run_id}/pause", { ...path(runId), body })));
    },
    resume(runId) {
      return answered(ask(http.POST("/api/v1/runs/{run_id}/resume", path(runId))));
    },
    async cancelScene(scene) {
      const params = { path: { run_id: scene.run_id, scene_id: scene.id } };
      const stopped = await ask(http.POST("/api/v1/runs/{run_id}/scenes/{scene_id}/cancel", { params }));
      sync.dispatch({ type: "scene_answered", scene: stopped });
    },
    async retry(failed) {
      const size = sync.read().known.board?.project.size;
      if (!size) return;
      const stages = new Map<string, Stage>(failed.map(({ scene }) => [scene.sentence_id, scene.stage]));
      sync.dispatch({ type: "pressed", stages });
      try {
        await keepShown([...stages.keys()]);
        for (const { runId, sentence_ids, fits } of retriesOf(failed, size)) {
          const body = { sentence_ids, ...fits };
          const run = await ask(http.POST("/api/v1/runs/{run_id}/retry-failed", { ...path(runId), body }));
          sync.dispatch({ type: "press_answered", run });
        }
      } catch (error) {
        sync.dispatch({ type: "press_refused" });
        throw error;
      } finally {
        sync.refresh();
      }
    },
    async claimEnd(runId) {
      const { data, response } = await http.POST("/api/v1/runs/{run_id}/seen", path(runId));
      if (data) sync.dispatch({ type: "run_answered", run: data });
      return response.status === 202;
    },
  };
}

/** What each sentence of a press starts with, as far as this page knows. */
function firstStages(sync: Sync, asked: GenerateScenes): Map<string, Stage> {
  const { board } = sync.read().known;
  if (!board) return new Map();
  const wanted = asked.sentence_ids ?? board.order;
  const sentences = wanted.flatMap((id) => board.sentences.get(id)?.value ?? []);
  const plan = makePlan(sentences, (id) => board.scenes.get(id)?.value, {
    stages: asked.stages ?? ["image", "video"],
    replace: asked.replace ?? [],
  });
  return new Map([...plan.stages].map(([id, stages]) => [id, stages[0]!]));
}
