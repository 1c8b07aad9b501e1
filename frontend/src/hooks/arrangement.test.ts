import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ask, http } from "@/api/client";
import type { GenerateScenes } from "@/api/contracts";
import { Sync } from "@/storyboard/sync";
import { id, PROJECT_ID, run, storyboard } from "@/testing/studio";
import { Arrangement } from "./arrangement";
import { pressesOn } from "./useSceneGeneration";

const moved = [id(2), id(1), id(3)];
const later = [id(2), id(3), id(1)];
const press: GenerateScenes = { order: "images_first", stages: ["image"], replace: [], sentence_ids: null, vary: false, dry_run: false };

let sync: Sync;
let arrangement: Arrangement;
let asked: string[] = []; //: the last part of each address
let orders: string[][] = [];
let answers: (() => void)[] = [];
let refuse = false;

beforeEach(() => {
  vi.useFakeTimers();
  [asked, orders, answers, refuse] = [[], [], [], false];
  vi.stubGlobal("fetch", async (request: Request) => {
    const what = request.url.split("/").at(-1)!;
    asked.push(what);
    if (what === "reorder") orders.push((await request.json()).sentence_ids);
    await new Promise<void>((resolve) => answers.push(resolve));
    if (what === "reorder" && refuse) return Response.json({ detail: "The story has changed." }, { status: 409 });
    return Response.json(what === "reorder" ? {} : run());
  });
  sync = new Sync(PROJECT_ID);
  sync.dispatch({ type: "snapshot", storyboard: storyboard() });
  arrangement = new Arrangement(PROJECT_ID, sync);
});

afterEach(() => vi.useRealTimers());

const pass = (ms = 0) => vi.advanceTimersByTimeAsync(ms);

async function answer() {
  answers.shift()!();
  await pass();
}

describe("an order that the creator makes", () => {
  it("is shown at once, and saved once when nothing else is moved for a moment", async () => {
    arrangement.arrange(moved);
    await pass(300);
    arrangement.arrange(later);
    expect(sync.read().known.board?.order).toEqual(later);
    await pass(300);
    expect(asked).toEqual([]);
    await pass(100);
    expect(orders).toEqual([later]);
  });

  it.each(["before it is sent", "while it is on its way"])("is saved before a press that comes %s", async (when) => {
    const { generate } = pressesOn(sync, arrangement, PROJECT_ID);
    arrangement.arrange(moved);
    if (when !== "before it is sent") await pass(400);
    const pressed = generate(press);
    expect(sync.read().known.pressed?.stages.size).toBe(3);
    await pass(1000);
    expect(asked).toEqual(["reorder"]);
    await answer();
    expect(asked).toEqual(["reorder", "generate-scenes"]);
    await answer();
    await pressed;
    expect(orders).toEqual([moved]);
  });

  it("does not keep a press back when the studio refuses it", async () => {
    refuse = true;
    const { generate } = pressesOn(sync, arrangement, PROJECT_ID);
    arrangement.arrange(moved);
    void generate(press);
    await pass();
    await answer();
    expect(asked).toEqual(["reorder", "generate-scenes"]);
  });

  it("is saved before a deletion that follows, and that before the next order", async () => {
    const path = { project_id: PROJECT_ID, sentence_id: id(3) };
    arrangement.arrange(moved);
    const dropped = arrangement.drop([id(2), id(1)], () =>
      ask(http.DELETE("/api/v1/projects/{project_id}/sentences/{sentence_id}", { params: { path } })),
    );
    arrangement.arrange([id(1), id(2)]);
    expect(sync.read().known.board?.order).toEqual([id(1), id(2)]);
    await pass(1000);
    for (const _ of ["the move", "the deletion"]) await answer();
    expect(await dropped).toBe(true);
    expect(asked).toEqual(["reorder", id(3), "reorder"]);
    expect(orders).toEqual([moved, [id(1), id(2)]]);
  });
});
