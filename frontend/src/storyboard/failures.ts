/** What failed, by cause, and what to do about it. Pure. */
import type { Failure, Scene, Sentence } from "@/api/contracts";
import type { Story } from "./board";
import { advice, causeTitle } from "./causes";

export interface FailedScene {
  sentence: Sentence;
  scene: Scene;
  failure: Failure;
}

export interface FailureGroup {
  cause: string;
  title: string;
  advice: string;
  failed: FailedScene[];
}

/** Sentences whose latest scene failed, the largest group first. */
export function failureGroups(board: Story): FailureGroup[] {
  const groups = new Map<string, FailureGroup>();
  for (const id of board.order) {
    const scene = board.scenes.get(id)?.value;
    const sentence = board.sentences.get(id)?.value;
    if (scene?.status !== "failed" || !sentence) continue;
    const failure = scene.failure ?? { cause: "unknown", message: "It failed without a reason.", detail: "" };
    let group = groups.get(failure.cause);
    if (!group) {
      group = { cause: failure.cause, title: causeTitle(failure.cause), advice: advice(failure.cause), failed: [] };
      groups.set(failure.cause, group);
    }
    group.failed.push({ sentence, scene, failure });
  }
  return [...groups.values()].sort((a, b) => b.failed.length - a.failed.length);
}

export function failedCount(groups: readonly FailureGroup[]): number {
  return groups.reduce((sum, group) => sum + group.failed.length, 0);
}

/** Which sentences to ask each run to make again: a retry belongs to the run that failed. */
export function retriesByRun(failed: readonly FailedScene[]): Map<string, string[]> {
  const byRun = new Map<string, string[]>();
  for (const { scene } of failed) byRun.set(scene.run_id, [...(byRun.get(scene.run_id) ?? []), scene.sentence_id]);
  return byRun;
}

/** Everything technical about one failure, to copy into a report. */
export function report({ sentence, scene, failure }: FailedScene): string {
  return [
    `scene ${scene.id} of run ${scene.run_id}`,
    `sentence ${sentence.position}, stage ${scene.stage}, attempt ${scene.attempt}, worker ${scene.worker ?? "none"}`,
    `at ${scene.changed_at ?? "an unknown time"}`,
    `${failure.cause}: ${failure.message}`,
    failure.detail,
  ]
    .filter(Boolean)
    .join("\n");
}
