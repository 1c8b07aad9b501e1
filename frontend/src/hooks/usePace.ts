/** Measured times of this studio: of the run that goes on, or remembered from the ones before. */
import { useEffect, useMemo } from "react";
import type { Run, Size, Stage, Worker } from "@/api/contracts";
import { prefer, preferences, usePreferences } from "@/preferences";
import type { Board } from "@/storyboard/board";
import { measure, type Pace } from "@/storyboard/pace";
import { makersOf } from "@/storyboard/workers";

const KINDS = ["image", "video"] as const;

export function usePace(board: Board | null, run: Run | null, workers: readonly Worker[] | null): Pace {
  const { seconds } = usePreferences();
  const size = board?.project.size;
  const scenes = board?.scenes;
  const measured = useMemo(
    () => (run && scenes ? measure(run, [...scenes.values()].map((held) => held.value)) : {}),
    [run, scenes],
  );
  const remembered: Pace = {};
  if (size) {
    for (const stage of KINDS) {
      const known = seconds[keyOf(stage, size, workers)];
      if (known !== undefined) remembered[stage] = known;
    }
  }

  const { image, video } = measured;
  useEffect(() => {
    if (!size || !workers?.length) return;
    const change: Record<string, number> = {};
    if (image !== undefined) change[keyOf("image", size, workers)] = rounded(image);
    if (video !== undefined) change[keyOf("video", size, workers)] = rounded(video);
    const held = preferences().seconds;
    if (Object.entries(change).some(([key, value]) => held[key] !== value)) prefer({ seconds: { ...held, ...change } });
  }, [image, video, size, workers]);

  return { ...remembered, ...measured };
}

/** What a time is good for: the same generator, as many of them, and the same size. */
function keyOf(stage: Stage, size: Size, workers: readonly Worker[] | null): string {
  const makers = makersOf(workers ?? [], stage);
  const length = stage === "video" ? `x${size.seconds}x${size.fps}` : "";
  return `${stage} ${makers[0]?.generator ?? ""} ${makers.length} ${size.width}x${size.height}${length}`;
}

function rounded(seconds: number): number {
  return Number(seconds.toPrecision(2));
}
