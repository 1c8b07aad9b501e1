/** How long things take, by what was measured. Without a measurement it says nothing. Pure. */
import type { Run, Scene, Stage } from "@/api/contracts";
import { isSettled } from "./board";
import { settledOf } from "./progress";

const LATEST = 12; //: intervals that count
const ODD = 4; //: an interval this many times the median was a pause, and does not count

/** Seconds from one finished scene to the next of each stage, and of scenes as a whole. */
export type Pace = Partial<Record<Stage | "scene", number>>;

/** Seconds between instants (milliseconds), or null where there are too few to tell. */
export function interval(instants: readonly number[]): number | null {
  const sorted = [...instants].sort((a, b) => a - b);
  const gaps = sorted.slice(1).map((instant, index) => instant - sorted[index]!);
  const recent = gaps.slice(-LATEST);
  if (recent.length < 2) return null;
  const median = [...recent].sort((a, b) => a - b)[Math.floor(recent.length / 2)]!;
  const usual = recent.filter((gap) => gap <= Math.max(ODD * median, 50));
  return usual.reduce((sum, gap) => sum + gap, 0) / usual.length / 1000;
}

/** What the scenes of a run tell about its pace. */
export function measure(run: Run, scenes: Iterable<Scene>): Pace {
  const instants: Record<Stage | "scene", number[]> = { image: [], video: [], scene: [] };
  for (const scene of scenes) {
    if (scene.run_id !== run.id || !scene.changed_at) continue;
    const at = Date.parse(scene.changed_at);
    const made = scene.status === "done" || scene.status === "failed";
    if (made && scene.stage === "video") instants.video.push(at);
    if (made && scene.stage === "image") instants.image.push(at);
    // It has waited for its video ever since its image was made.
    if (scene.stage === "video" && scene.status === "waiting" && scene.plan.includes("image")) instants.image.push(at);
    if (made) instants.scene.push(at);
  }
  const pace: Pace = {};
  for (const kind of ["image", "video", "scene"] as const) {
    const seconds = interval(instants[kind]);
    if (seconds !== null) pace[kind] = seconds;
  }
  return pace;
}

/** Seconds until a run ends; null where one of its parts was never measured. */
export function secondsLeft(run: Run, pace: Pace): number | null {
  if (run.order === "per_scene" && pace.scene !== undefined) {
    return (run.progress.total - run.progress.settled) * pace.scene;
  }
  const images = run.images.total - settledOf(run.images);
  const videos = run.videos.total - settledOf(run.videos);
  return secondsFor({ images, videos }, pace, run.order === "per_scene");
}

/** Seconds for so many images and videos; the stages overlap where a video follows its image at once. */
export function secondsFor(
  { images, videos }: { images: number; videos: number },
  pace: Pace,
  overlapping = false,
): number | null {
  if ((images && pace.image === undefined) || (videos && pace.video === undefined)) return null;
  const each = [images * (pace.image ?? 0), videos * (pace.video ?? 0)] as const;
  return overlapping ? Math.max(...each) : each[0] + each[1];
}

/** Seconds of work in running jobs that a cancel would throw away. */
export function workInHand(scenes: Iterable<Scene>, runId: string, now: number): number {
  let seconds = 0;
  for (const scene of scenes) {
    if (scene.run_id !== runId || isSettled(scene) || scene.status !== "running" || !scene.changed_at) continue;
    seconds += Math.max(0, now - Date.parse(scene.changed_at)) / 1000;
  }
  return seconds;
}

/** "2:05", "1:02:05" */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const two = (value: number) => String(value).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** "about 40 s", "about 4 min", "about 1 h 10 min" */
export function about(seconds: number): string {
  if (seconds < 8) return "a few seconds";
  if (seconds < 55) return `about ${Math.ceil(seconds / 5) * 5} s`;
  const minutes = Math.max(1, Math.round(seconds / 60));
  if (minutes < 60) return `about ${minutes} min`;
  const rest = Math.round((minutes % 60) / 5) * 5;
  const hours = Math.floor(minutes / 60) + (rest === 60 ? 1 : 0);
  return `about ${hours} h${rest && rest < 60 ? ` ${rest} min` : ""}`;
}
