import { describe, expect, it } from "vitest";
import type { Run } from "@/api/contracts";
import { counts, id, run, storyboard } from "@/testing/studio";
import { NOTHING, reduce } from "./board";
import { announcement, backlogText, buttonText, endText, focusRun, wholeFraction } from "./progress";

const videos = run({
  images: counts({ total: 9, done: 9 }),
  videos: counts({ total: 24, done: 5, running: 1, queued: 8, waiting: 10 }),
  progress: { stage: "video", settled: 5, total: 24 },
});

describe("the button", () => {
  it.each<[Run | null, boolean, string]>([
    [null, false, "Generate All Scenes"],
    [videos, false, "Generating... (5/24)"],
    [run(), false, "Generating... (0/24)"],
    [{ ...videos, status: "paused" }, false, "Paused (5/24)"],
    [videos, true, "Stopping..."],
    [{ ...videos, status: "cancelling" }, false, "Stopping..."],
  ])("reads as it should (%#)", (given, stopping, text) => {
    expect(buttonText(given, stopping)).toBe(text);
  });
});

describe("the backlog", () => {
  it("is of the stage that runs", () => {
    expect(backlogText(videos)).toBe("8 queued, 10 waiting");
    expect(backlogText(run({ images: counts({ total: 24, queued: 8, waiting: 16 }) }))).toBe("8 queued, 16 waiting");
  });
  it("is of both where both run", () => {
    const both = run({ progress: { stage: null, settled: 0, total: 4 }, images: counts({ total: 4, queued: 3, done: 1 }), videos: counts({ total: 4, blocked: 3, queued: 1 }) });
    expect(backlogText(both)).toBe("4 queued, 3 waiting");
  });
  it("is silent when there is none", () => {
    expect(backlogText(run({ images: counts({ total: 1, running: 1 }) }))).toBe("");
  });
});

describe("the run that the toolbar is about", () => {
  const of = (...runs: Run[]) => focusRun(reduce(NOTHING, { type: "snapshot", storyboard: storyboard({ runs }) }).board!);
  const retry = run({ id: id(1), kind: "partial", retry_of: id(9), scenes: 1 });
  const single = run({ id: id(2), kind: "partial", scenes: 1 });
  const several = run({ id: id(3), kind: "partial", scenes: 4 });

  it("is the storyboard's own before all others", () => expect(of(single, retry, run())?.id).toBe(id(9000)));
  it("is a retry before others", () => expect(of(several, retry)?.id).toBe(id(1)));
  it("may be one of several sentences", () => expect(of(single, several)?.id).toBe(id(3)));
  it("is none for one scene, which shows it on its card", () => expect(of(single)).toBeNull());
  it("is none that has ended", () => expect(of(run({ status: "completed", ended_at: "2026-11-22T11:00:00Z" }))).toBeNull());
});

describe("the end", () => {
  const done = run({ status: "completed", scenes: 3, images: counts({ total: 2, done: 2 }), videos: counts({ total: 3, done: 3 }) });
  it("is good", () => expect(endText(done)).toEqual({ title: "All 3 scenes are done", detail: "Made 2 images and 3 videos.", tone: "good" }));
  it("names failures", () => expect(endText({ ...done, failed: 1 }).title).toBe("2 of 3 scenes done, 1 failed"));
  it("may have been a stop", () => expect(endText({ ...done, status: "cancelled" }).title).toBe("Generation stopped"));
});

describe("what is said aloud", () => {
  const at = (done: number, more: Partial<Run> = {}) => run({ images: counts({ total: 4, done }), videos: counts(), scenes: 4, ...more });
  it("is the start", () => expect(announcement(null, at(0))).toBe("Generating 4 scenes."));
  it("are quarters and nothing between", () => {
    const many = (done: number) => run({ images: counts({ total: 100, done }), videos: counts() });
    const spoken = Array.from({ length: 99 }, (_, done) => announcement(many(done), many(done + 1))).filter(Boolean);
    expect(spoken).toEqual(["A quarter done.", "Half done.", "Three quarters done."]);
  });
  it("are failures", () => expect(announcement(at(1), at(1, { failed: 1 }))).toBe("1 scene has failed."));
  it("is the end, once", () => {
    const ended = at(4, { status: "completed", ended_at: "2026-11-22T11:00:00Z" });
    expect(announcement(at(3), ended)).toBe("All 4 scenes are done.");
    expect(announcement(ended, ended)).toBeNull();
  });
  it("is nothing for a run that ended before the page came", () => expect(announcement(null, at(4, { status: "completed" }))).toBeNull());
});

it("the whole is of both stages", () => expect(wholeFraction(videos)).toBeCloseTo(14 / 33));
