/** What a card shows of its sentence. Pure. */
import type { Run, Scene, Sentence, Stage } from "@/api/contracts";
import type { Board, Fraction, Pressed } from "./board";

export type CardState =
  | "empty" //: nothing made, nothing asked for
  | "starting" //: pressed, not yet answered
  | "waiting"
  | "queued"
  | "running"
  | "stopping"
  | "failed"
  | "cancelled"
  | "ready";

export interface CardView {
  state: CardState;
  stage: Stage | null; //: what is being made, or failed
  text: string; //: the state in words
  fraction: number | null; //: of the running job; null where it is not known yet
  attempt: number; //: shown above 1
}

const NOUN: Record<Stage, string> = { image: "image", video: "video" };

export function cardView(
  sentence: Sentence,
  scene: Scene | undefined,
  pressed: Stage | undefined,
  run: Run | undefined,
  stopping: boolean,
): CardView {
  const open = scene && (scene.status === "waiting" || scene.status === "queued" || scene.status === "running");
  if (pressed && !open) return view("starting", pressed, `${capital(NOUN[pressed])} is next`);
  if (!scene) return resting(sentence);
  const { stage, attempt } = scene;
  const noun = NOUN[stage];
  const ending = stopping || run?.status === "cancelling";
  switch (scene.status) {
    case "waiting":
      if (ending) return view("cancelled", stage, "Stopped");
      if (run?.status === "paused") return view("waiting", stage, "Paused", attempt);
      if (stage === "video" && run?.order === "images_first" && imagesOpen(run)) {
        return view("waiting", stage, "Video follows the images", attempt);
      }
      return view("waiting", stage, `Waiting for its ${noun}`, attempt);
    case "queued":
      if (ending) return view("cancelled", stage, "Stopped");
      return view("queued", stage, `${capital(noun)} queued`, attempt);
    case "running":
      if (scene.stopping || ending) return view("stopping", stage, "Stopping...", attempt);
      return view("running", stage, `Making ${noun}`, attempt);
    case "failed":
      return view("failed", stage, `${capital(noun)} failed`, attempt);
    case "cancelled":
      return missing(sentence, scene) ? view("cancelled", stage, "Stopped") : resting(sentence);
    case "done":
      return resting(sentence);
  }
}

/** The same, with how far its job is. */
export function withFraction(given: CardView, fraction: Fraction | undefined): CardView {
  if (given.state !== "running" || fraction?.stage !== given.stage || fraction.attempt !== given.attempt) return given;
  return { ...given, text: `${given.text} ${Math.floor(fraction.fraction * 100)}%`, fraction: fraction.fraction };
}

export function cardViewOf(board: Board, id: string, pressed: Pressed | null, stopping: ReadonlySet<string>): CardView | null {
  const sentence = board.sentences.get(id)?.value;
  if (!sentence) return null;
  const scene = board.scenes.get(id)?.value;
  const run = scene && board.runs.get(scene.run_id);
  return cardView(sentence, scene, pressed?.stages.get(id), run, Boolean(scene && stopping.has(scene.run_id)));
}

function resting(sentence: Sentence): CardView {
  if (sentence.video_stale || sentence.image_stale) return view("ready", null, "Edited since");
  if (sentence.video) return view("ready", null, "Video ready");
  if (sentence.image) return view("ready", null, "Image ready");
  return view("empty", null, "Not made yet");
}

function missing(sentence: Sentence, scene: Scene): boolean {
  return scene.plan.some((stage) => (stage === "image" ? !sentence.image : !sentence.video));
}

function imagesOpen(run: Run): boolean {
  const { total, done, failed, cancelled } = run.images;
  return done + failed + cancelled < total;
}

function view(state: CardState, stage: Stage | null, text: string, attempt = 1): CardView {
  return { state, stage, text, fraction: null, attempt };
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
