import { describe, expect, it } from "vitest";
import type { BrowserEvent, Storyboard } from "@/api/contracts";
import { artifact, id, project, PROJECT_ID, run, scene, seeded, sentence, storyboard, Studio } from "@/testing/studio";
import { type Action, hasGap, NOTHING, reduce, type State } from "./board";

function after(...actions: Action[]): State {
  return actions.reduce(reduce, NOTHING);
}

function events(...given: BrowserEvent[]): Action {
  return { type: "events", events: given };
}

function snapshot(given: Storyboard): Action {
  return { type: "snapshot", storyboard: given };
}

function changed(seq: number, more: object = {}): BrowserEvent {
  return { v: 1, type: "scene_changed", project_id: PROJECT_ID, seq, scenes: [], sentences: [], run: null, ...more };
}

function progressed(fraction: number, more: object = {}): BrowserEvent {
  return {
    v: 1,
    type: "scene_progressed",
    project_id: PROJECT_ID,
    run_id: id(9000),
    scene_id: id(1001),
    sentence_id: id(1),
    stage: "image",
    attempt: 1,
    fraction,
    ...more,
  };
}

function previewed(picture: string, more: object = {}): BrowserEvent {
  const { fraction: _, ...about } = progressed(0) as Extract<BrowserEvent, { type: "scene_progressed" }>;
  return { ...about, type: "scene_previewed", picture, ...more };
}

/** What a page shows, in a form to compare. */
function shown(state: State) {
  const { board } = state;
  if (!board) throw new Error("there is no board");
  return {
    sentences: board.order.map((one) => board.sentences.get(one)?.value),
    scenes: board.order.map((one) => board.scenes.get(one)?.value ?? null),
    active: [...board.runs.values()].filter((one) => one.ended_at === null),
  };
}

function truth(studio: Studio) {
  return {
    sentences: studio.sentences,
    scenes: studio.sentences.map((one) => studio.scenes.get(one.id) ?? null),
    active: studio.runs.filter((one) => one.ended_at === null),
  };
}

describe("events", () => {
  it("are taken when they are newer, and leave out what came before", () => {
    const newer = scene(1, { status: "queued", version: 2 });
    const state = after(snapshot(storyboard({ scenes: [scene(1)] })), events(changed(2, { scenes: [newer] })));
    expect(state.board?.scenes.get(id(1))?.value).toEqual(newer);
    expect(state.board?.seq).toBe(2);
  });

  it("change nothing when they are repeated", () => {
    const event = changed(2, { scenes: [scene(1, { status: "queued", version: 2 })] });
    const once = after(snapshot(storyboard()), events(event));
    expect(reduce(once, events(event))).toBe(once);
  });

  it("change nothing when the snapshot has them already", () => {
    const held = after(snapshot(storyboard({ project: { ...project(), seq: 5 } })));
    const late = changed(4, { scenes: [scene(1, { status: "failed", version: 9 })] });
    expect(reduce(held, events(late))).toBe(held);
  });

  it("of an old version never overwrite a newer one, whatever their number", () => {
    const held = after(snapshot(storyboard({ scenes: [scene(1, { status: "running", version: 5 })] })));
    const old = reduce(held, events(changed(2, { scenes: [scene(1, { status: "queued", version: 4 })] })));
    expect(old.board?.scenes.get(id(1))?.value.status).toBe("running");
  });

  it("of a new scene replace an old scene with a higher version", () => {
    const held = after(snapshot(storyboard({ scenes: [scene(1, { status: "failed", version: 9 })] })));
    const retried = scene(1, { id: id(2001), run_id: id(9001), version: 1 });
    expect(reduce(held, events(changed(2, { scenes: [retried] }))).board?.scenes.get(id(1))?.value).toEqual(retried);
  });

  it("of an old scene that come late do not replace the one after it", () => {
    const next = scene(1, { id: id(2001), run_id: id(9001), version: 1 });
    const held = after(snapshot(storyboard()), events(changed(3, { scenes: [next] })));
    const late = reduce(held, events(changed(2, { scenes: [scene(1, { status: "failed", version: 9 })] })));
    expect(late.board?.scenes.get(id(1))?.value).toEqual(next);
  });

  it("about one sentence may come in any order", () => {
    const [first, second] = ["image/1", "image/2"].map((key, index) => changed(index + 2, { sentences: [sentence(1, { image: artifact(key) })] }));
    const state = after(snapshot(storyboard()), events(second!), events(first!));
    expect(state.board?.sentences.get(id(1))?.value.image?.key).toBe("image/2");
  });

  it("about a sentence that is not here yet are kept for the snapshot that brings it", () => {
    const more = { scenes: [scene(4, { version: 2 })], sentences: [sentence(4, { image: artifact("image/1") })] };
    const late = storyboard({ project: { ...project(), seq: 2 }, sentences: [1, 2, 3, 4].map((number) => sentence(number)), scenes: [scene(4)] });
    const { board } = after(snapshot(storyboard()), events(changed(3, more)), snapshot(late));
    expect(board?.order).toContain(id(4));
    expect(board?.sentences.get(id(4))?.value.image?.key).toBe("image/1");
    expect(board?.scenes.get(id(4))?.value.version).toBe(2);
  });

  it("of another project are not ours", () => {
    const held = after(snapshot(storyboard()));
    expect(reduce(held, events(changed(2, { project_id: id(77) })))).toBe(held);
  });

  it("leave a gap open until the missing one comes", () => {
    const gap = after(snapshot(storyboard()), events(changed(4), changed(3)));
    expect(hasGap(gap.board!)).toBe(true);
    expect(gap.board?.seq).toBe(1);
    const closed = reduce(gap, events(changed(2)));
    expect(hasGap(closed.board!)).toBe(false);
    expect(closed.board?.seq).toBe(4);
  });

  it("before the first snapshot wait for it", () => {
    const sentences = [sentence(1, { image: artifact("image/1"), version: 2 })];
    const early = events(changed(2, { sentences }), changed(3));
    const state = after(early, snapshot(storyboard({ project: { ...project(), seq: 2 } })));
    expect(state.board?.seq).toBe(3);
    expect(state.early).toEqual([]);
  });

  it("that touch many scenes, or the storyboard itself, ask for a fetch", () => {
    const reset: BrowserEvent = { v: 1, type: "run_changed", project_id: PROJECT_ID, seq: 2, run: run({ version: 2 }), reset: true };
    expect(after(snapshot(storyboard()), events(reset)).board?.stale).toBe(true);
    expect(after(snapshot(storyboard()), events({ ...reset, reset: false })).board?.stale).toBe(false);
    const edited: BrowserEvent = { v: 1, type: "storyboard_changed", project_id: PROJECT_ID, seq: 2 };
    expect(after(snapshot(storyboard()), events(edited)).board?.stale).toBe(true);
    expect(after(snapshot(storyboard()), events({ type: "resync" })).board?.stale).toBe(true);
  });

  it("that come while a fetch is under way ask for another one after it", () => {
    const edited: BrowserEvent = { v: 1, type: "storyboard_changed", project_id: PROJECT_ID, seq: 2 };
    const state = after(snapshot(storyboard()), { type: "fetching" }, events(edited), snapshot(storyboard()));
    expect(state.board?.stale).toBe(true);
  });
});

describe("progress of a job", () => {
  it("only rises within an attempt", () => {
    const state = after(snapshot(storyboard({ scenes: [scene(1, { status: "running" })] })), events(progressed(0.5), progressed(0.3)));
    expect(state.board?.fractions.get(id(1001))?.fraction).toBe(0.5);
  });

  it("starts anew with an attempt, and an old attempt says nothing more", () => {
    const held = after(snapshot(storyboard({ scenes: [scene(1, { status: "running" })] })), events(progressed(0.9)));
    const next = reduce(held, events(progressed(0.1, { attempt: 2 }), progressed(0.95)));
    expect(next.board?.fractions.get(id(1001))).toEqual({ stage: "image", attempt: 2, fraction: 0.1 });
  });

  it("is forgotten with the job, and does not come back", () => {
    const held = after(snapshot(storyboard({ scenes: [scene(1, { status: "running" })] })), events(progressed(0.9)));
    const video = scene(1, { stage: "video", status: "waiting", version: 2 });
    const next = reduce(held, events(changed(2, { scenes: [video] }), progressed(1)));
    expect(next.board?.fractions.size).toBe(0);
  });
});

describe("previews of a job", () => {
  const running = () => after(snapshot(storyboard({ scenes: [scene(1, { status: "running" })] })));
  const picture = (state: State) => state.board?.previews.get(id(1001))?.picture;

  it("replace each other, and an old attempt shows nothing more", () => {
    const held = reduce(running(), events(previewed("one"), previewed("two")));
    expect(picture(held)).toBe("two");
    expect(picture(reduce(held, events(previewed("three", { attempt: 2 }), previewed("four"))))).toBe("three");
  });

  it("are gone with the change that brings the image, and do not come back", () => {
    const held = reduce(running(), events(previewed("one")));
    const done = scene(1, { status: "done", version: 2 });
    const image = sentence(1, { image: artifact("image/1"), version: 2 });
    const next = reduce(held, events(changed(2, { scenes: [done], sentences: [image] }), previewed("late")));
    expect(next.board?.previews.size).toBe(0);
    expect(next.board?.sentences.get(id(1))?.value.image?.key).toBe("image/1");
  });

  it("stay over a snapshot while the job runs, and not after it", () => {
    const held = reduce(running(), events(previewed("one")));
    expect(picture(reduce(held, snapshot(storyboard({ scenes: [scene(1, { status: "running" })] }))))).toBe("one");
    const over = storyboard({ project: project({ seq: 5 }), scenes: [scene(1, { status: "failed", version: 5 })] });
    expect(picture(reduce(held, snapshot(over)))).toBeUndefined();
  });
});

describe("a snapshot", () => {
  it("that was read before newer events does not undo them", () => {
    const newer = scene(1, { status: "running", version: 3 });
    const state = after(
      snapshot(storyboard({ scenes: [scene(1)] })),
      events(changed(2, { scenes: [newer], sentences: [sentence(1, { text: "new" })] })),
      snapshot(storyboard({ scenes: [scene(1)] })),
    );
    expect(state.board?.scenes.get(id(1))?.value).toEqual(newer);
    expect(state.board?.sentences.get(id(1))?.value.text).toBe("new");
    expect(state.board?.seq).toBe(2);
  });

  it("keeps the very objects that have not changed, so that nothing is drawn anew", () => {
    const first = after(snapshot(storyboard({ scenes: [scene(1)] })));
    const second = reduce(first, snapshot(structuredClone(storyboard({ scenes: [scene(1)] }))));
    expect(second.board?.sentences.get(id(2))?.value).toBe(first.board?.sentences.get(id(2))?.value);
    expect(second.board?.scenes.get(id(1))?.value).toBe(first.board?.scenes.get(id(1))?.value);
    expect(second.board?.order).toBe(first.board?.order);
  });

  describe("while the creator's own order is on its way", () => {
    const moved = [id(2), id(1), id(3)];
    const arranged: Action = { type: "arranged", order: moved };
    const answered: Action = { type: "order_answered", order: moved };
    const start = storyboard({ sentences: [1, 2, 3].map((number) => sentence(number)) });
    const old = snapshot(start);
    const saved = snapshot({ ...start, project: { ...project(), seq: 2 }, sentences: [2, 1, 3].map((number) => sentence(number)) });
    const order = (state: State) => state.board?.order;

    it("does not bring the old one back, read before the answer or after it", () => {
      expect(order(after(old, arranged, old))).toEqual(moved);
      expect(order(after(old, arranged, { type: "fetching" }, answered, old))).toEqual(moved);
    });

    it("is believed again once it was asked for after the answer", () => {
      const state = after(old, arranged, answered, { type: "fetching" }, saved);
      expect(order(state)).toEqual(moved);
      expect(state.arranged).toBeNull();
      expect(order(reduce(state, old))).toEqual([id(1), id(2), id(3)]);
    });

    it("keeps a later order when an earlier one is answered", () => {
      const later = [id(3), id(2), id(1)];
      const state = after(old, arranged, { type: "arranged", order: later }, answered, { type: "fetching" }, saved);
      expect(order(state)).toEqual(later);
    });

    it("is believed at once when the studio refused the order", () => {
      expect(order(after(old, arranged, { type: "order_refused" }, old))).toEqual([id(1), id(2), id(3)]);
    });

    it("leaves out what was deleted here and what was deleted elsewhere", () => {
      const without = { ...start, sentences: [sentence(1), sentence(3)] };
      expect(order(after(old, { type: "arranged", order: [id(3), id(2)] }, snapshot(without)))).toEqual([id(3)]);
    });
  });

  it("that is older does not bring an old scene, sentence or number back", () => {
    const next = scene(1, { id: id(2001), run_id: id(9001) });
    const old = storyboard({ scenes: [scene(1, { version: 7 })] });
    const newer = storyboard({ project: { ...project(), seq: 8 }, scenes: [next], sentences: [sentence(1, { text: "new" })] });
    const state = after(snapshot(newer), snapshot(old));
    expect(state.board?.scenes.get(id(1))?.value).toEqual(next);
    expect(state.board?.sentences.get(id(1))?.value.text).toBe("new");
    expect(state.board?.seq).toBe(8);
  });

  it("that was read before a scene began leaves it", () => {
    const state = after(snapshot(storyboard()), events(changed(2, { scenes: [scene(1)] })), snapshot(storyboard()));
    expect(state.board?.scenes.get(id(1))?.value).toEqual(scene(1));
  });

  it("that was read before a run began leaves it", () => {
    const state = after(snapshot(storyboard()), { type: "run_answered", run: run({ version: 2 }) }, snapshot(storyboard()));
    expect(state.board?.runs.has(id(9000))).toBe(true);
  });

  it("does not undo what an answer has told of a scene", () => {
    const stopped = scene(1, { status: "cancelled", version: 3 });
    const held = after(snapshot(storyboard({ scenes: [scene(1, { version: 2 })] })), { type: "scene_answered", scene: stopped });
    expect(reduce(held, snapshot(storyboard({ scenes: [scene(1, { version: 2 })] }))).board?.scenes.get(id(1))?.value).toEqual(stopped);
  });

  it("closes a gap", () => {
    const gap = after(snapshot(storyboard()), events(changed(4)));
    const closed = reduce(gap, snapshot(storyboard({ project: { ...project(), seq: 3 } })));
    expect(hasGap(closed.board!)).toBe(false);
    expect(closed.board?.seq).toBe(4);
  });

  it("drops active runs that it does not know", () => {
    const held = after(snapshot(storyboard({ runs: [run()] })));
    expect(reduce(held, snapshot(storyboard({ project: { ...project(), seq: 2 } }))).board?.runs.size).toBe(0);
  });
});

describe("a press", () => {
  const stages = new Map([[id(1), "image" as const]]);

  it("shows at once and until the studio itself shows it", () => {
    const pressed = after(snapshot(storyboard()), { type: "pressed", stages });
    expect(pressed.pressed?.stages.has(id(1))).toBe(true);
    const answered = reduce(pressed, { type: "press_answered", run: run({ version: 2 }) });
    expect(answered.pressed).not.toBeNull();
    const fetched = reduce(answered, snapshot(storyboard({ project: { ...project(), seq: 2 }, runs: [run({ version: 2 })] })));
    expect(fetched.pressed).toBeNull();
  });

  it("that is refused leaves nothing behind", () => {
    expect(after(snapshot(storyboard()), { type: "pressed", stages }, { type: "press_refused" }).pressed).toBeNull();
  });

  it("whose answer is slower than its snapshot does not hang", () => {
    const state = after(
      snapshot(storyboard()),
      { type: "pressed", stages },
      snapshot(storyboard({ project: { ...project(), seq: 2 }, runs: [run({ version: 2 })] })),
      { type: "press_answered", run: run({ version: 2 }) },
    );
    expect(state.pressed).toBeNull();
  });
});

describe("a cancel", () => {
  it("shows until the studio says it, and comes back when it is refused", () => {
    const held = after(snapshot(storyboard({ runs: [run()] })), { type: "cancel_pressed", runId: id(9000) });
    expect(held.stopping.has(id(9000))).toBe(true);
    expect(reduce(held, { type: "cancel_refused", runId: id(9000) }).stopping.size).toBe(0);
    const said = reduce(held, { type: "run_answered", run: run({ status: "cancelling", version: 2 }) });
    expect(said.stopping.size).toBe(0);
  });
});

/** A page and a studio with time between them: events come late, twice, out of order or never, and fetches take a while. */
function live(seed: number): { state: State; studio: Studio } {
  const random = seeded(seed * 7919 + 1);
  const studio = new Studio(4, random);
  const late = seed % 7; //: steps that an event may be late
  const slow = 1 + (seed % 9); //: steps that a fetch may take
  const lost = seed % 3 === 0 ? 0.1 : 0;
  const steps = 70;
  let state = NOTHING;
  const arriving: { at: number; action: Action }[] = [];
  let fetching = false;
  const fetch = (now: number) => {
    state = reduce(state, { type: "fetching" });
    fetching = true;
    // It is read on the way there, and arrives on the way back.
    const read = Math.floor(random() * slow);
    arriving.push({ at: now + read, action: { type: "fetching" } });
    arriving.push({ at: now + read + 1 + Math.floor(random() * slow), action: snapshot(studio.snapshot()) });
  };
  const unsure = () => state.board !== null && (state.board.stale || hasGap(state.board));
  fetch(0);
  for (let now = 0; now < steps || arriving.length || fetching || unsure(); now += 1) {
    if (now < steps && random() < 0.8) {
      const event = studio.change();
      const last = now >= steps - 4;
      if (last || random() >= lost) arriving.push({ at: now + random() * late, action: events(event) });
      if (random() < 0.15) arriving.push({ at: now + random() * 2 * late, action: events(event) });
    }
    arriving.sort((one, other) => one.at - other.at);
    while (arriving[0] && arriving[0].at <= now) {
      const { action } = arriving.shift()!;
      if (action.type === "snapshot") fetching = false;
      if (action.type !== "fetching") state = reduce(state, action);
    }
    const { board } = state;
    if (board && !fetching && (board.stale || (hasGap(board) && random() < 0.1))) fetch(now);
  }
  return { state, studio };
}

describe("whatever the notifier does", () => {
  it("the page arrives at the truth", () => {
    for (let seed = 0; seed < 300; seed += 1) {
      const { state, studio } = live(seed);
      expect(shown(state), `seed ${seed}`).toEqual(truth(studio));
      expect(hasGap(state.board!)).toBe(false);
      expect(state.board?.seq).toBe(studio.seq);
    }
  });

  it("every order of five changes gives the same board", () => {
    // One sentence, so that all five are about the same things.
    const studio = new Studio(1, () => 0.5);
    studio.sentences = [sentence(1)];
    studio.scenes.set(id(1), scene(1));
    studio.runs = [run()];
    const start = studio.snapshot();
    const told = Array.from({ length: 5 }, () => studio.change());
    expect(told.map((event) => event.type)).toEqual(Array(5).fill("scene_changed"));
    const expected = truth(studio);
    for (const order of permutations(told)) {
      expect(shown(after(snapshot(start), ...order.map((event) => events(event))))).toEqual(expected);
    }
  });
});

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length < 2) return [[...items]];
  return items.flatMap((item, index) => permutations(items.toSpliced(index, 1)).map((rest) => [item, ...rest]));
}
