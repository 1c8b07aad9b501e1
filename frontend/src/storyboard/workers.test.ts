import { describe, expect, it } from "vitest";
import type { Worker } from "@/api/contracts";
import { counts, PROJECT_ID, run, worker } from "@/testing/studio";
import { doing, loadingWorkers, makersOf, missingWorkers } from "./workers";

const doingNow = (more: Partial<Worker>) => doing(worker(more), PROJECT_ID);
const WHY = "IMAGE_MODEL=x is not on this machine.";

describe("what a worker does now", () => {
  it("is loading, part by part", () => {
    expect(doingNow({ state: "starting", detail: "loading 3 of 7: decoder" })).toBe("Loading 3 of 7: decoder");
    expect(doingNow({ state: "starting" })).toBe("Starting");
  });
  it("is ready, or waits for its turn", () => {
    expect(doingNow({})).toBe("Ready");
    expect(doingNow({ detail: "waiting for the GPU, which video@studio uses" })).toBe("Waiting for the GPU, which video@studio uses");
  });
  it("makes a scene, and says what holds it up", () => {
    expect(doingNow({ state: "busy", number: 4, project_id: PROJECT_ID })).toBe("Making scene 4");
    expect(doingNow({ state: "busy", number: 4, project_id: "another" })).toBe("Busy with another project");
    expect(doingNow({ state: "busy", number: 4, detail: "waiting to store a file" })).toBe("Waiting to store a file");
  });
  it("ended, and says why", () => {
    expect(doingNow({ state: "failed", detail: WHY })).toBe(WHY);
  });
});

describe("who is missing for a press", () => {
  const both = { images: 3, videos: 3 };
  it("is nobody as long as each kind is there or loads", () => {
    expect(missingWorkers([worker({ state: "starting" }), worker({ stage: "video" })], both)).toBeNull();
  });
  it("is said by kind", () => {
    expect(missingWorkers([], both)).toContain("No image or video worker is running");
    expect(missingWorkers([worker()], both)).toContain("No video worker is running");
    expect(missingWorkers([], { images: 0, videos: 0 })).toBeNull();
  });
  it("is said with the reason where one could not start", () => {
    const failed = worker({ state: "failed", detail: WHY });
    expect(makersOf([failed], "image")).toEqual([]);
    expect(missingWorkers([failed, worker({ stage: "video" })], both)).toBe(`The image worker does not run: ${WHY}`);
  });
});

describe("who is still loading during a run", () => {
  const loading = worker({ state: "starting", detail: "loading 2 of 3: model" });
  const waits = run({ images: counts({ total: 2, queued: 2 }) });
  it("is said while nobody else could make what is queued", () => {
    expect(loadingWorkers([loading], waits)).toBe("The image worker is still starting: loading 2 of 3: model. The work waits for it.");
    expect(loadingWorkers([worker({ state: "starting" })], waits)).toBe("The image worker is still starting. The work waits for it.");
    expect(loadingWorkers([loading, worker({ name: "second" })], waits)).toBeNull();
  });
  it("is no matter where nothing waits for it", () => {
    expect(loadingWorkers(null, waits)).toBeNull();
    expect(loadingWorkers([], waits)).toBeNull();
    expect(loadingWorkers([loading], { ...waits, status: "paused" })).toBeNull();
    expect(loadingWorkers([loading], { ...waits, images: counts({ total: 2, queued: 1, running: 1 }) })).toBeNull();
    expect(loadingWorkers([loading], { ...waits, images: counts({ total: 2, done: 2 }) })).toBeNull();
  });
});
