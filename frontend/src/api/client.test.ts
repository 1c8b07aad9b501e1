import { describe, expect, it } from "vitest";
import type { Artifact } from "./contracts";
import { smallImage } from "./client";

const image = (width: number): Artifact => ({ key: "p/s/a.png", media_type: "image/png", size: 1, width, height: 720, seconds: null });

describe("what an image that is shown small loads", () => {
  it("is offered in every width below its own, and whole", () => {
    expect(smallImage(image(1280), "96px")).toEqual({
      srcSet: "/api/v1/artifacts/p/s/a.png?width=480 480w, /api/v1/artifacts/p/s/a.png?width=960 960w, /api/v1/artifacts/p/s/a.png 1280w",
      sizes: "96px",
      src: "/api/v1/artifacts/p/s/a.png",
    });
  });

  it("is the image itself where that is small already", () => {
    expect(smallImage(image(480), "96px")).toEqual({ src: "/api/v1/artifacts/p/s/a.png" });
  });
});
