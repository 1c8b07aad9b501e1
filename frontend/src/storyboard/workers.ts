/** What it means for a press who is alive. Pure. */
import type { Run, Stage, Worker } from "@/api/contracts";
import type { Plan } from "./plan";

const STAGES: readonly Stage[] = ["image", "video"];

export function ofStage(workers: readonly Worker[], stage: Stage): Worker[] {
  return workers.filter((worker) => worker.stage === stage);
}

/** Those that do the jobs of a stage, or soon will. */
export function makersOf(workers: readonly Worker[], stage: Stage): Worker[] {
  return ofStage(workers, stage).filter((worker) => worker.state !== "failed");
}

/** Said before the press: what it asks for and nobody is there to make. */
export function missingWorkers(workers: readonly Worker[] | null, plan: Pick<Plan, "images" | "videos">): string | null {
  if (!workers) return null;
  const kinds = STAGES.filter((stage) => (stage === "image" ? plan.images : plan.videos) > 0 && !makersOf(workers, stage).length);
  if (!kinds.length) return null;
  const failed = kinds.flatMap((stage) => ofStage(workers, stage))[0];
  if (failed) return `The ${failed.stage} worker does not run: ${failed.detail}`;
  return `No ${kinds.join(" or ")} worker is running. You can press all the same: the work waits until one is started.`;
}

/** Said during a run: its jobs wait, and all who could do them still load. */
export function loadingWorkers(workers: readonly Worker[] | null, run: Pick<Run, "status" | "images" | "videos">): string | null {
  if (!workers || run.status !== "running") return null;
  for (const stage of STAGES) {
    const { queued, running } = stage === "image" ? run.images : run.videos;
    const makers = makersOf(workers, stage);
    const [first] = makers;
    if (!queued || running || !first || makers.some((worker) => worker.state !== "starting")) continue;
    return `The ${stage} worker is still starting${first.detail && `: ${first.detail}`}. The work waits for it.`;
  }
  return null;
}

/** What a worker does now, in a few words. */
export function doing(worker: Worker, projectId: string): string {
  switch (worker.state) {
    case "starting":
      return capital(worker.detail) || "Starting";
    case "idle":
      // Such as whose turn it is on the GPU.
      return capital(worker.detail) || "Ready";
    case "failed":
      return capital(worker.detail);
    case "gone":
      return "Shut down";
    case "busy":
      if (worker.detail) return capital(worker.detail);
      if (!worker.number) return "Busy";
      return worker.project_id === projectId ? `Making scene ${worker.number}` : "Busy with another project";
  }
}

function capital(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1);
}
