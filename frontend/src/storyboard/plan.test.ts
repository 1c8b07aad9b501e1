import { describe, expect, it } from "vitest";
import { artifact, scene, sentence } from "@/testing/studio";
import { asksForAnother, makePlan, planText, type Wish } from "./plan";

const image = artifact("image/1");
const video = artifact("video/1");
const given = [sentence(1), sentence(2, { image }), sentence(3, { image, video })];
const plan = (wish: Wish, busy?: number) => makePlan(given, (id) => (busy && id === given[busy - 1]?.id ? scene(busy) : undefined), wish);

describe("a press", () => {
  it.each<[Wish, number, number]>([
    [{ stages: ["image", "video"] }, 1, 2],
    [{ stages: ["image"] }, 1, 0],
    [{ stages: ["video"] }, 0, 1],
    [{ stages: ["image", "video"], replace: ["image"] }, 3, 3],
    [{ stages: ["image", "video"], replace: ["video"] }, 1, 3],
    [{ stages: ["image"], replace: ["image"] }, 3, 0],
    [{ stages: ["video"], replace: ["video"] }, 0, 2],
  ])("%j makes %i images and %i videos", (wish, images, videos) => {
    expect(plan(wish)).toMatchObject({ images, videos });
  });

  it("leaves out what is being made", () => expect(plan({ stages: ["image", "video"] }, 1)).toMatchObject({ images: 0, videos: 1, busy: 1 }));
  it("says how many videos have no image to start from", () => expect(plan({ stages: ["video"] }).withoutImage).toBe(1));
});

it.each([
  [{ images: 9, videos: 24 }, "9 images, 24 videos"],
  [{ images: 1, videos: 0 }, "1 image"],
  [{ images: 0, videos: 1200 }, "1,200 videos"],
  [{ images: 0, videos: 0 }, ""],
])("%j reads %s", (counted, text) => expect(planText(counted)).toBe(text));

describe("another seed", () => {
  it("is wanted where something is made anew, and not for what is missing", () => {
    const made = sentence(1, { image: artifact("image/1") });
    expect(asksForAnother(made, ["image"])).toBe(true);
    expect(asksForAnother(made, ["video"])).toBe(false);
    expect(asksForAnother(sentence(1), ["image", "video"])).toBe(false);
    expect(asksForAnother({ ...made, video: artifact("video/1") }, ["video"])).toBe(true);
  });

  it("is wanted for an edited one, too: the lock alone says that a seed is kept", () => {
    expect(asksForAnother(sentence(1, { image: artifact("image/1"), image_stale: true, seed_locked: true }), ["image"])).toBe(true);
  });
});
