/** What the toolbar says about a run. Pure. */
import type { Run, StageCount } from "@/api/contracts";
import { type Board, isActive } from "./board";

/** The run that the toolbar is about: the storyboard's own, else a retry, else any of several sentences. */
export function focusRun(board: Board): Run | null {
  const active = [...board.runs.values()].filter(isActive).sort((a, b) => b.created_at.localeCompare(a.created_at));
  return (
    active.find((run) => run.kind === "bulk") ??
    active.find((run) => run.retry_of !== null) ??
    active.find((run) => run.scenes > 1) ??
    null
  );
}

/** The text on the button. */
export function buttonText(run: Run | null, stopping: boolean): string {
  if (!run) return "Generate All Scenes";
  if (stopping || run.status === "cancelling") return "Stopping...";
  const { settled, total } = run.progress;
  return run.status === "paused" ? `Paused (${settled}/${total})` : `Generating... (${settled}/${total})`;
}

export function settledOf(count: StageCount): number {
  return count.done + count.failed + count.cancelled;
}

/** Of everything in the plan, both stages together. */
export function wholeFraction(run: Run): number {
  const total = run.images.total + run.videos.total;
  return total ? (settledOf(run.images) + settledOf(run.videos)) / total : 1;
}

/** "8 queued, 16 waiting": what is on the workers' queues, and what follows; of the stage that runs. */
export function backlogText(run: Run): string {
  const { stage } = run.progress;
  const counts = stage === "image" ? [run.images] : stage === "video" ? [run.videos] : [run.images, run.videos];
  const queued = counts.reduce((sum, count) => sum + count.queued, 0);
  const waiting = counts.reduce((sum, count) => sum + count.waiting + count.blocked, 0);
  const parts = [];
  if (queued) parts.push(`${queued.toLocaleString("en")} queued`);
  if (waiting) parts.push(`${waiting.toLocaleString("en")} waiting`);
  return parts.join(", ");
}

export function runningOf(run: Run): number {
  return run.images.running + run.videos.running;
}

/** How a run ended, in one sentence. */
export function endText(run: Run): { title: string; detail: string; tone: "good" | "mixed" | "stopped" } {
  const made = [
    run.images.done && `${run.images.done} ${run.images.done === 1 ? "image" : "images"}`,
    run.videos.done && `${run.videos.done} ${run.videos.done === 1 ? "video" : "videos"}`,
  ].filter(Boolean);
  const detail = made.length ? `Made ${made.join(" and ")}.` : "Nothing was made.";
  const failed = `${run.failed} ${run.failed === 1 ? "scene" : "scenes"} failed`;
  if (run.status === "cancelled") {
    return { title: "Generation stopped", detail: run.failed ? `${detail} ${failed}.` : detail, tone: "stopped" };
  }
  if (run.failed) {
    return { title: `${run.scenes - run.failed} of ${run.scenes} scenes done, ${run.failed} failed`, detail, tone: "mixed" };
  }
  return { title: run.scenes === 1 ? "The scene is done" : `All ${run.scenes} scenes are done`, detail, tone: "good" };
}

/** What to say aloud when a run has moved from `before` to `now`: the start, quarters, failures, the end. */
export function announcement(before: Run | null, now: Run): string | null {
  const begun = before === null || before.id !== now.id;
  if (!isActive(now)) return begun || !isActive(before) ? null : `${endText(now).title}.`;
  if (begun) return `Generating ${now.scenes} ${now.scenes === 1 ? "scene" : "scenes"}.`;
  if (now.status !== before.status) {
    if (now.status === "paused") return "Paused.";
    if (now.status === "cancelling") return "Stopping.";
    return "Going on.";
  }
  if (now.failed > before.failed) return `${now.failed} ${now.failed === 1 ? "scene has" : "scenes have"} failed.`;
  const quarter = Math.floor(wholeFraction(now) * 4);
  if (quarter > Math.floor(wholeFraction(before) * 4) && quarter < 4) {
    return `${["", "A quarter", "Half", "Three quarters"][quarter]} done.`;
  }
  return null;
}
