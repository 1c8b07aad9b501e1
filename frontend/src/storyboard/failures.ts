/** What failed, by cause, and what to do about it. Pure. */
import type { Failure, Fits, Scene, Sentence, Size } from "@/api/contracts";
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
    const failure = scene.failure ?? { cause: "unknown", message: "It failed without a reason.", detail: "", fits: null };
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

/** The size to retry a failure in, where the project's would fail again. */
export function sizeToRetry(failure: Failure, size: Size): Fits | null {
  const { fits } = failure;
  return fits && fits.width * fits.height < size.width * size.height ? fits : null;
}

/** "at 832 × 480" where all of these are retried in one smaller size; "smaller" where in several; else nothing. */
export function smallerText(failed: readonly FailedScene[], size: Size): string {
  const sizes = new Set(failed.map(({ failure }) => fitsText(sizeToRetry(failure, size))));
  if (sizes.size === 1) return [...sizes][0]!;
  return sizes.has("") ? "" : "smaller";
}

function fitsText(fits: Fits | null): string {
  return fits ? `at ${fits.width} × ${fits.height}` : "";
}

export interface Retry {
  runId: string;
  sentence_ids: string[];
  fits: Fits | null;
}

/** What to ask for to have these made again: a retry belongs to the run that failed, and has one size. */
export function retriesOf(failed: readonly FailedScene[], size: Size): Retry[] {
  const retries = new Map<string, Retry>();
  for (const { scene, failure } of failed) {
    const fits = sizeToRetry(failure, size);
    const key = `${scene.run_id} ${fitsText(fits)}`;
    const retry = retries.get(key) ?? { runId: scene.run_id, sentence_ids: [], fits };
    retry.sentence_ids.push(scene.sentence_id);
    retries.set(key, retry);
  }
  return [...retries.values()];
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
