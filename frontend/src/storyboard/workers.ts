/** What it means for a press who is alive. Pure. */
import type { Stage, Worker } from "@/api/contracts";
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
