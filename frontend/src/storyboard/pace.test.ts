import { describe, expect, it } from "vitest";
import { counts, run, scene } from "@/testing/studio";
import { about, clock, interval, measure, secondsFor, secondsLeft, workInHand } from "./pace";

const at = (second: number) => new Date(Date.UTC(2026, 10, 22, 10, 0, second)).toISOString();

describe("pace", () => {
  it("needs two intervals", () => {
    expect(interval([0, 1000])).toBeNull();
    expect(interval([0, 1000, 3000])).toBe(1.5);
  });
  it("does not count a pause", () => expect(interval([0, 1000, 2000, 3000, 603_000, 604_000])).toBe(1));
  it("of images is known while they are made: their scenes wait for videos since", () => {
    const scenes = [10, 12, 14].map((second, index) => scene(index + 1, { stage: "video", status: "waiting", changed_at: at(second) }));
    expect(measure(run(), scenes)).toEqual({ image: 2 });
  });
  it("is of this run only", () => {
    const scenes = [1, 2, 3].map((second) => scene(second, { run_id: "other", status: "done", stage: "video", changed_at: at(second) }));
    expect(measure(run(), scenes)).toEqual({});
  });
});

describe("time left", () => {
  const given = run({ images: counts({ total: 9, done: 9 }), videos: counts({ total: 24, done: 4, waiting: 20 }) });
  it("is what is left times the pace", () => expect(secondsLeft(given, { video: 3 })).toBe(60));
  it("is not guessed", () => expect(secondsLeft(given, {})).toBeNull());
  it("is for both stages before the press", () => expect(secondsFor({ images: 2, videos: 3 }, { image: 10, video: 20 })).toBe(80));
  it("counts whole scenes where they are made one by one", () => {
    const scenes = run({ order: "per_scene", progress: { stage: null, settled: 4, total: 10 } });
    expect(secondsLeft(scenes, { scene: 5, image: 1, video: 1 })).toBe(30);
  });
});

it("work in hand is what runs, since it began", () => {
  const scenes = [scene(1, { status: "running", changed_at: at(0) }), scene(2, { status: "queued", changed_at: at(0) }), scene(3, { status: "done", changed_at: at(0) })];
  expect(workInHand(scenes, run().id, Date.parse(at(59)) + 31_000)).toBe(90);
});

it.each([
  [0, "0:00"],
  [65, "1:05"],
  [3725, "1:02:05"],
])("%i s on the clock is %s", (seconds, text) => expect(clock(seconds)).toBe(text));

it.each([
  [3, "a few seconds"],
  [31, "about 35 s"],
  [125, "about 2 min"],
  [3600 + 620, "about 1 h 10 min"],
  [2 * 3600 - 30, "about 2 h"],
])("%i s are %s", (seconds, text) => expect(about(seconds)).toBe(text));
