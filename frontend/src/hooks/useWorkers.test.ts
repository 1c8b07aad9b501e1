import { describe, expect, it } from "vitest";
import { worker } from "@/testing/studio";
import { alive, noted } from "./useWorkers";

describe("who is alive", () => {
  const signs = [{ worker: worker({ every_s: 2 }), at: 0 }];

  it("is who was heard of lately", () => {
    expect(alive(signs, 5900)).toHaveLength(1);
    expect(alive(signs, 6000)).toHaveLength(0);
  });

  it("forgets who says goodbye, and takes the newest word of each", () => {
    const busy = noted(signs, worker({ state: "busy" }), 1000);
    expect(busy.map((sign) => sign.worker.state)).toEqual(["busy"]);
    expect(noted(busy, worker({ state: "gone" }), 2000)).toEqual([]);
  });

  it("keeps the last word of a worker that failed, which gives no other sign", () => {
    const failed = noted(signs, worker({ state: "failed", detail: "No GPU." }), 0);
    expect(alive(failed, 60_000).map((one) => one.detail)).toEqual(["No GPU."]);
  });
});
