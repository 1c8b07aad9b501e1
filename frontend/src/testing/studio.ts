/** A studio in miniature: the truth that a page has to arrive at, and the events it sends on the way. */
import type { BrowserEvent, Project, Run, Scene, Sentence, Stage, StageCount, Storyboard, Worker } from "@/api/contracts";

type Status = Extract<BrowserEvent, { seq: number }>;

export const PROJECT_ID = "00000000-0000-4000-8000-000000000000";

export function id(number: number): string {
  return `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`;
}

export function sentence(number: number, more: Partial<Sentence> = {}): Sentence {
  return {
    id: id(number),
    position: number,
    text: `Sentence ${number}`,
    prompt: null,
    seed: number,
    seed_locked: false,
    image: null,
    video: null,
    image_stale: false,
    video_stale: false,
    image_takes: 0,
    video_takes: 0,
    scene_id: null,
    version: 1,
    ...more,
  };
}

export function scene(number: number, more: Partial<Scene> = {}): Scene {
  return {
    id: id(1000 + number),
    run_id: id(9000),
    project_id: PROJECT_ID,
    sentence_id: id(number),
    number,
    plan: ["image", "video"],
    stage: "image",
    status: "waiting",
    attempt: 1,
    failures: 0,
    crashes: 0,
    stopping: null,
    worker: null,
    session: null,
    image: null,
    video: null,
    failure: null,
    version: 1,
    changed_at: null,
    ...more,
  };
}

export function counts(more: Partial<StageCount> = {}): StageCount {
  return { total: 0, blocked: 0, waiting: 0, queued: 0, running: 0, done: 0, failed: 0, cancelled: 0, ...more };
}

export function run(more: Partial<Run> = {}): Run {
  return {
    id: id(9000),
    project_id: PROJECT_ID,
    kind: "bulk",
    order: "images_first",
    stages: ["image", "video"],
    status: "running",
    retry_of: null,
    scenes: 24,
    failed: 0,
    images: counts({ total: 24, queued: 24 }),
    videos: counts({ total: 24, blocked: 24 }),
    progress: { stage: "image", settled: 0, total: 24 },
    notice: null,
    created_at: "2026-11-22T10:00:00Z",
    ended_at: null,
    seen: false,
    version: 1,
    ...more,
  };
}

/** A sign of life. */
export function worker(more: Partial<Worker> = {}): Worker {
  return {
    v: 1,
    type: "worker_seen",
    name: "image@studio",
    session: id(8000),
    stage: "image",
    generator: "animatic",
    state: "idle",
    detail: "",
    project_id: null,
    scene_id: null,
    number: null,
    every_s: 2,
    ...more,
  };
}

export function artifact(key: string) {
  return { key, media_type: "image/png", size: 1, width: 8, height: 8, seconds: null };
}

export function project(more: Partial<Project> = {}): Project {
  return {
    id: PROJECT_ID,
    title: "A story",
    style: "",
    size: { width: 1280, height: 720, seconds: 4, fps: 24 },
    seq: 1,
    created_at: "2026-11-22T09:00:00Z",
    deleted_at: null,
    ...more,
  };
}

export function storyboard(more: Partial<Storyboard> = {}): Storyboard {
  return { project: project(), sentences: [1, 2, 3].map((number) => sentence(number)), scenes: [], runs: [], ...more };
}

/** Changes itself at random, one numbered commit after the other, as the coordinator does. */
export class Studio {
  seq = 1;
  sentences: Sentence[];
  scenes = new Map<string, Scene>();
  runs: Run[] = [];
  private made = 0;
  private readonly random: () => number;

  constructor(sentences: number, random: () => number) {
    this.random = random;
    this.sentences = Array.from({ length: sentences }, (_, index) => sentence(index + 1));
  }

  snapshot(): Storyboard {
    return structuredClone({
      project: project({ seq: this.seq }),
      sentences: this.sentences,
      scenes: [...this.scenes.values()].filter((one) => this.sentences.some(({ id }) => id === one.sentence_id)),
      runs: this.runs.filter((one) => one.ended_at === null || one === this.runs.at(-1)).toReversed(),
    });
  }

  /** One commit, and the event that tells of it. */
  change(): Status {
    this.seq += 1;
    const dice = this.random();
    const active = this.runs.find((one) => one.ended_at === null);
    if (!active) return dice < 0.7 ? this.press() : this.edit();
    if (dice < 0.06) return this.edit();
    if (dice < 0.1) return this.cancel(active);
    return this.step(active);
  }

  private event<T extends Omit<Status, "v" | "project_id" | "seq">>(told: T): Status {
    return structuredClone({ v: 1, project_id: PROJECT_ID, seq: this.seq, ...told }) as unknown as Status;
  }

  private press(): Status {
    this.made += 1;
    const made = run({ id: id(9000 + this.made), scenes: this.sentences.length, version: this.seq });
    this.runs.push(made);
    for (const { id: sentence_id, position } of this.sentences) {
      this.scenes.set(sentence_id, scene(position, { id: id(this.made * 1000 + position), run_id: made.id, sentence_id, number: position }));
    }
    return this.event({ type: "run_changed", run: made, reset: true });
  }

  private cancel(active: Run): Status {
    for (const [key, one] of this.scenes) {
      if (one.run_id === active.id && one.status !== "done" && one.status !== "failed") {
        this.scenes.set(key, { ...one, status: "cancelled", version: one.version + 1 });
      }
    }
    return this.event({ type: "run_changed", run: this.settle(active, "cancelled"), reset: true });
  }

  private edit(): Status {
    const [first, ...rest] = this.sentences;
    const dice = this.random();
    if (first && dice < 0.3) this.sentences = [...rest, first];
    else if (dice < 0.6) this.sentences = [...this.sentences, sentence(500 + this.seq)];
    else if (this.sentences.length > 1) this.sentences = rest;
    this.sentences = this.sentences.map((one, index) => ({ ...one, position: index + 1, version: one.version + 1 }));
    return this.event({ type: "storyboard_changed" });
  }

  private step(active: Run): Status {
    const open = [...this.scenes.values()].filter((one) => one.run_id === active.id && !["done", "failed", "cancelled"].includes(one.status));
    const one = open[Math.floor(this.random() * open.length)];
    if (!one) return this.event({ type: "run_changed", run: this.settle(active, "completed"), reset: false });
    const next = advance(one, this.random());
    this.scenes.set(one.sentence_id, next);
    const gained = next.stage !== one.stage || next.status === "done";
    const sentences = gained ? this.gain(one.sentence_id, one.stage) : [];
    if (!gained) return this.event({ type: "scene_changed", scenes: [next], sentences, run: null });
    const counted = { ...active, progress: { ...active.progress, settled: active.progress.settled + 1 }, version: this.seq };
    this.runs = this.runs.map((each) => (each.id === active.id ? counted : each));
    return this.event({ type: "scene_changed", scenes: [next], sentences, run: counted });
  }

  private gain(sentenceId: string, stage: Stage): Sentence[] {
    const held = this.sentences.find((one) => one.id === sentenceId);
    if (!held) return [];
    const gained = { ...held, [stage]: artifact(`${stage}/${this.seq}`), version: held.version + 1 };
    this.sentences = this.sentences.map((one) => (one === held ? gained : one));
    return [gained];
  }

  private settle(active: Run, status: "completed" | "cancelled"): Run {
    const ended = { ...active, status, ended_at: "2026-11-22T11:00:00Z", version: this.seq };
    this.runs = this.runs.map((one) => (one.id === active.id ? ended : one));
    return ended;
  }
}

function advance(one: Scene, dice: number): Scene {
  const version = one.version + 1;
  if (one.status === "waiting") return { ...one, status: "queued", version };
  if (one.status === "queued") return { ...one, status: "running", version };
  if (dice < 0.1) return { ...one, status: "failed", failure: { cause: "bad_prompt", message: "No.", detail: "", fits: null }, version };
  if (dice < 0.2) return { ...one, status: "queued", attempt: one.attempt + 1, version };
  if (one.stage === "image") return { ...one, stage: "video", status: "waiting", attempt: 1, version };
  return { ...one, status: "done", version };
}

/** Numbers that look random and are the same each time (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
