import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { GenerateScenes } from "@/api/contracts";
import { Sync } from "@/storyboard/sync";
import { id, PROJECT_ID, run, sentence, storyboard } from "@/testing/studio";
import { Arrangement } from "./arrangement";
import { drafts } from "./drafts";
import { pressesOn, type Presses } from "./useSceneGeneration";

const press: GenerateScenes = { order: "images_first", stages: ["image"], replace: [], sentence_ids: null, vary: false, dry_run: false };

let sync: Sync;
let presses: Presses;
let asked: string[] = []; //: the last part of each address
let refuse = false;

beforeEach(() => {
  [asked, refuse] = [[], false];
  vi.stubGlobal("fetch", async (request: Request) => {
    const what = request.url.split("/").at(-1)!;
    asked.push(what);
    if (request.method !== "PATCH") return Response.json(run());
    if (refuse) return Response.json({ detail: "The text is too long." }, { status: 422 });
    return Response.json(sentence(Number(what.slice(-1)), await request.json()));
  });
  sync = new Sync(PROJECT_ID);
  sync.dispatch({ type: "snapshot", storyboard: storyboard() });
  presses = pressesOn(sync, new Arrangement(PROJECT_ID, sync), PROJECT_ID);
});

afterEach(() => drafts.clear());

const textOf = (number: number) => sync.read().known.board?.sentences.get(id(number))?.value.text;
const write = (number: number, text: string) => drafts.set(id(number), { text, prompt: "" });

describe("what is being written", () => {
  it("is saved before the press that goes by it", async () => {
    write(2, "Another second sentence.");
    await presses.generate(press);
    expect(asked).toEqual([id(2), "generate-scenes"]);
    expect(textOf(2)).toBe("Another second sentence.");
    expect(drafts.size).toBe(0);
  });

  it("waits when the press is for another sentence", async () => {
    write(2, "Half a thought");
    await presses.generate({ ...press, sentence_ids: [id(1)] });
    expect(asked).toEqual(["generate-scenes"]);
    expect(drafts.size).toBe(1);
  });

  it.each([
    ["says nothing new", () => write(2, ` ${textOf(2)} `)],
    ["has no text yet", () => write(2, " ")],
    ["belongs to another story", () => write(9, "Elsewhere")],
  ])("is not sent when it %s", async (_, given) => {
    given();
    await presses.generate(press);
    expect(asked).toEqual(["generate-scenes"]);
  });

  it("stays, and nothing is pressed, when the studio refuses it", async () => {
    refuse = true;
    write(2, "Far too long");
    await expect(presses.generate(press)).rejects.toThrow("too long");
    expect(asked).toEqual([id(2)]);
    expect(drafts.size).toBe(1);
    expect(sync.read().known.pressed).toBeNull();
  });
});
