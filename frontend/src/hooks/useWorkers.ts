/** Who is alive to make images and videos: asked once, then by their own signs of life. */
import { useQuery } from "@tanstack/react-query";
import { ask, http } from "@/api/client";
import type { Worker } from "@/api/contracts";
import { queries } from "@/api/queries";
import { useNow } from "./useNow";

const MISSED = 3; //: signs of life that may be missing

export interface Sign {
  worker: Worker;
  at: number; //: when it was heard
}

const KEY = ["workers"];

/** Take note of a sign of life. */
export function seeWorker(worker: Worker, at: number): void {
  queries.setQueryData<Sign[]>(KEY, (signs) => noted(signs ?? [], worker, at));
}

export function noted(signs: readonly Sign[], worker: Worker, at: number): Sign[] {
  const others = signs.filter((sign) => sign.worker.name !== worker.name);
  if (worker.state === "gone") return others;
  return [...others, { worker, at }].sort((a, b) => a.worker.name.localeCompare(b.worker.name));
}

/** Those heard of lately. One that has failed never speaks again: the studio's list says how long that matters. */
export function alive(signs: readonly Sign[], now: number): Worker[] {
  const heard = ({ worker, at }: Sign) => worker.state === "failed" || now - at < MISSED * worker.every_s * 1000;
  return signs.filter(heard).map((sign) => sign.worker);
}

/** null while that is not known. */
export function useWorkers(): Worker[] | null {
  const now = useNow(1000);
  const { data } = useQuery({
    queryKey: KEY,
    queryFn: async () => {
      const { workers } = await ask(http.GET("/api/v1/workers"));
      const at = Date.now();
      return workers.map((worker): Sign => ({ worker, at }));
    },
    // Signs of life come by the socket too; asking now and then covers pages without one.
    refetchInterval: 5000,
    structuralSharing: false,
  });
  return data ? alive(data, now) : null;
}
