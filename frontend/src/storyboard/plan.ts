/** What one press makes. Mirrors `services/coordinator/plan.py`, so that it can be said before the press. Pure. */
import type { Scene, Sentence, Stage } from "@/api/contracts";
import { isSettled } from "./board";

export interface Wish {
  stages: readonly Stage[]; //: what may be made
  replace?: readonly Stage[]; //: what is made anew where it exists
}

export interface Plan {
  stages: ReadonlyMap<string, readonly Stage[]>; //: by sentence
  images: number;
  videos: number;
  busy: number; //: sentences that another run makes now
  withoutImage: number; //: sentences that would get a video, had they an image
}

export const BOTH: readonly Stage[] = ["image", "video"];

export function makePlan(
  sentences: Iterable<Sentence>,
  sceneOf: (sentenceId: string) => Scene | undefined,
  { stages, replace = [] }: Wish,
): Plan {
  const planned = new Map<string, readonly Stage[]>();
  let images = 0;
  let videos = 0;
  let busy = 0;
  let withoutImage = 0;
  for (const sentence of sentences) {
    const scene = sceneOf(sentence.id);
    if (scene && !isSettled(scene)) {
      busy += 1;
      continue;
    }
    const image = stages.includes("image") && (!sentence.image || replace.includes("image"));
    const video = stages.includes("video") && (image || !sentence.video || replace.includes("video"));
    if (video && !image && !sentence.image) {
      withoutImage += 1;
      continue;
    }
    if (!image && !video) continue;
    images += Number(image);
    videos += Number(video);
    planned.set(sentence.id, BOTH.filter((stage) => (stage === "image" ? image : video)));
  }
  return { stages: planned, images, videos, busy, withoutImage };
}

/** Whether a press is for another one than there is. The same words and the same seed would give the same again. */
export function asksForAnother(sentence: Sentence, replace: readonly Stage[]): boolean {
  return replace.some((stage) => sentence[stage] !== null);
}

/** "9 images, 24 videos" */
export function planText({ images, videos }: Pick<Plan, "images" | "videos">): string {
  return [images && counted(images, "image"), videos && counted(videos, "video")].filter(Boolean).join(", ");
}

export function counted(count: number, noun: string): string {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}
