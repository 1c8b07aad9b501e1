/** What it means for a press who is alive. Pure. */
import type { Stage, Worker } from "@/api/contracts";
import type { Plan } from "./plan";

export function ofStage(workers: readonly Worker[], stage: Stage): Worker[] {
  return workers.filter((worker) => worker.stage === stage);
}

/** Said before the press: what it asks for and nobody is there to make. */
export function missingWorkers(workers: readonly Worker[] | null, plan: Pick<Plan, "images" | "videos">): string | null {
  if (!workers) return null;
  const kinds = [
    plan.images > 0 && !ofStage(workers, "image").length && "image",
    plan.videos > 0 && !ofStage(workers, "video").length && "video",
  ].filter(Boolean);
  if (!kinds.length) return null;
  return `No ${kinds.join(" or ")} worker is running. You can press all the same: the work waits until one is started.`;
}

/** What a worker does now, in a few words. */
export function doing(worker: Worker, projectId: string): string {
  switch (worker.state) {
    case "starting":
      return worker.detail || "Starting";
    case "idle":
      return "Ready";
    case "gone":
      return "Shut down";
    case "busy":
      if (!worker.number) return "Busy";
      return worker.project_id === projectId ? `Making scene ${worker.number}` : "Busy with another project";
  }
}
