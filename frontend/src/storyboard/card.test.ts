import { describe, expect, it } from "vitest";
import type { Scene } from "@/api/contracts";
import { artifact, counts, run, scene, sentence } from "@/testing/studio";
import { cardView, withFraction } from "./card";

const view = (given?: Partial<Scene>, of = run(), stopping = false) => cardView(sentence(1), given && scene(1, given), undefined, of, stopping);

describe("a card", () => {
  it.each<[Partial<Scene> | undefined, string, string]>([
    [undefined, "empty", "Not made yet"],
    [{ status: "waiting" }, "waiting", "Waiting for its image"],
    [{ status: "queued" }, "queued", "Image queued"],
    [{ status: "running" }, "running", "Making image"],
    [{ status: "running", stopping: "cancel" }, "stopping", "Stopping..."],
    [{ status: "failed", stage: "video" }, "failed", "Video failed"],
    [{ status: "cancelled" }, "cancelled", "Stopped"],
    [{ status: "waiting", stage: "video" }, "waiting", "Video follows the images"],
  ])("of %j is %s: %s", (given, state, text) => {
    expect(view(given)).toMatchObject({ state, text });
  });

  it("says how far its job is, of the present attempt only", () => {
    const running = view({ status: "running", attempt: 2 });
    const told = (attempt: number) => withFraction(running, { stage: "image", attempt, fraction: 0.456 });
    expect(told(2)).toMatchObject({ text: "Making image 45%", fraction: 0.456, attempt: 2 });
    expect(told(1)).toMatchObject({ text: "Making image", fraction: null });
  });

  it("changes with the press", () => {
    expect(cardView(sentence(1), undefined, "image", undefined, false)).toMatchObject({ state: "starting" });
    expect(view({ status: "queued" }, run(), true)).toMatchObject({ state: "cancelled" });
    expect(view({ status: "running" }, run(), true)).toMatchObject({ state: "stopping" });
  });

  it("waits for its own video once all images are there", () => {
    const later = run({ images: counts({ total: 1, done: 1 }) });
    expect(view({ status: "waiting", stage: "video" }, later).text).toBe("Waiting for its video");
  });

  it("rests with what it has", () => {
    const image = artifact("image/1");
    const rest = (more: object) => cardView(sentence(1, more), undefined, undefined, undefined, false).text;
    expect(rest({ image })).toBe("Image ready");
    expect(rest({ image, video: image })).toBe("Video ready");
    expect(rest({ image, image_stale: true })).toBe("Edited since");
  });
});
