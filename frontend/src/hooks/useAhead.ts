import { useQuery } from "@tanstack/react-query";
import { ask, http } from "@/api/client";
import type { Run } from "@/api/contracts";
import { runningOf } from "@/storyboard/progress";

/** How many jobs of others stand in front, while none of this run's is being made. */
export function useAhead(run: Run | null): number {
  const stuck = run !== null && run.status === "running" && runningOf(run) === 0 && run.images.queued + run.videos.queued > 0;
  const { data } = useQuery({
    queryKey: ["ahead", run?.id],
    queryFn: () => ask(http.GET("/api/v1/runs/{run_id}", { params: { path: { run_id: run!.id } } })),
    enabled: stuck,
    refetchInterval: 4000,
    gcTime: 0,
    select: (detail) => detail.ahead.images + detail.ahead.videos,
  });
  return stuck ? (data ?? 0) : 0;
}
