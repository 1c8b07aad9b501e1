import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Refusal } from "@/api/client";
import type { BrowserEvent, Storyboard } from "@/api/contracts";
import { backOff } from "@/api/stream";
import { id, project, PROJECT_ID, run, scene, storyboard } from "@/testing/studio";
import { Sync } from "./sync";

class FakeSocket extends EventTarget {
  static CONNECTING = 0;
  static all: FakeSocket[] = [];
  readyState = 0;
  readonly url: string;
  constructor(url: string) {
    super();
    this.url = url;
    FakeSocket.all.push(this);
  }
  close() {}
  open() {
    this.readyState = 1;
    this.dispatchEvent(new Event("open"));
  }
  tell(event: BrowserEvent) {
    this.dispatchEvent(new MessageEvent("message", { data: JSON.stringify(event) }));
  }
  end(code: number) {
    this.dispatchEvent(new CloseEvent("close", { code }));
  }
}

let studio: Storyboard;
let fetches: number;
let broken: Refusal | null;
let sync: Sync;

beforeEach(() => {
  vi.useFakeTimers();
  FakeSocket.all = [];
  studio = storyboard();
  fetches = 0;
  broken = null;
  vi.stubGlobal("WebSocket", FakeSocket);
  vi.stubGlobal("fetch", async () => Response.json({ socket_url: "ws://studio:1" }));
  sync = new Sync(PROJECT_ID, async () => {
    fetches += 1;
    if (broken) throw broken;
    return { storyboard: structuredClone(studio), clockAhead: 0 };
  });
});

afterEach(() => {
  sync.stop();
  vi.useRealTimers();
});

const changed = (seq: number, version = seq): BrowserEvent => ({
  v: 1,
  type: "scene_changed",
  project_id: PROJECT_ID,
  seq,
  scenes: [scene(1, { version })],
  sentences: [],
  run: null,
});

async function live(): Promise<FakeSocket> {
  sync.start();
  await vi.advanceTimersByTimeAsync(1);
  const socket = FakeSocket.all.at(-1)!;
  socket.open();
  await vi.advanceTimersByTimeAsync(1);
  return socket;
}

const board = () => sync.read().known.board!;

describe("a page", () => {
  it("shows the board before the socket is open, and fetches again once it is", async () => {
    sync.start();
    await vi.advanceTimersByTimeAsync(1);
    expect(board().order).toHaveLength(3);
    expect(sync.read().connection).toBe("connecting");
    const socket = FakeSocket.all.at(-1)!;
    expect(socket.url).toBe(`ws://studio:1/api/v1/projects/${PROJECT_ID}/events`);
    socket.open();
    await vi.advanceTimersByTimeAsync(1);
    expect(fetches).toBe(2);
    expect(sync.read().connection).toBe("live");
  });

  it("draws an event within two frames", async () => {
    const socket = await live();
    socket.tell(changed(2));
    await vi.advanceTimersByTimeAsync(32);
    expect(board().scenes.get(id(1))?.value.version).toBe(2);
  });

  it("waits half a second for a missing change, then fetches", async () => {
    const socket = await live();
    socket.tell(changed(3));
    await vi.advanceTimersByTimeAsync(450);
    expect(fetches).toBe(2);
    studio = storyboard({ project: project({ seq: 3 }) });
    await vi.advanceTimersByTimeAsync(250);
    expect(fetches).toBe(3);
    expect(board().seq).toBe(3);
  });

  it("does not fetch when the missing change comes by itself", async () => {
    const socket = await live();
    socket.tell(changed(3));
    await vi.advanceTimersByTimeAsync(300);
    socket.tell(changed(2));
    await vi.advanceTimersByTimeAsync(2000);
    expect(fetches).toBe(2);
  });

  it("fetches once for many events that ask for it", async () => {
    const socket = await live();
    for (let seq = 2; seq < 8; seq += 1) socket.tell({ v: 1, type: "storyboard_changed", project_id: PROJECT_ID, seq });
    socket.tell({ type: "resync" });
    studio = storyboard({ project: project({ seq: 7 }) });
    await vi.advanceTimersByTimeAsync(400);
    expect(fetches).toBe(3);
    expect(board().stale).toBe(false);
  });

  it("comes back after a restart of the notifier, and then fetches", async () => {
    const socket = await live();
    socket.end(1012);
    expect(sync.read().connection).toBe("reconnecting");
    await vi.advanceTimersByTimeAsync(300);
    expect(FakeSocket.all).toHaveLength(2);
    studio = storyboard({ project: project({ seq: 9 }) });
    FakeSocket.all[1]!.open();
    await vi.advanceTimersByTimeAsync(1);
    expect(sync.read().connection).toBe("live");
    expect(board().seq).toBe(9);
  });

  it("keeps trying, slower and slower, and meanwhile looks for itself", async () => {
    const socket = await live();
    socket.end(1006);
    for (let tries = 0; tries < 6; tries += 1) {
      await vi.advanceTimersByTimeAsync(5000);
      FakeSocket.all.at(-1)!.end(1006);
    }
    expect(FakeSocket.all.length).toBeGreaterThan(5);
    expect(FakeSocket.all.length).toBeLessThan(20);
    expect(fetches).toBeGreaterThan(5);
  });

  it("stops asking when it is told to", async () => {
    const socket = await live();
    socket.end(4429);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(FakeSocket.all).toHaveLength(1);
    expect(sync.read().connection).toBe("refused");
  });

  it("comes back at once when the network does", async () => {
    const socket = await live();
    dispatchEvent(new Event("offline"));
    expect(sync.read().connection).toBe("offline");
    dispatchEvent(new Event("online"));
    expect(FakeSocket.all).toHaveLength(2);
    // Whatever the dead socket still says is not listened to.
    socket.end(1006);
    expect(FakeSocket.all).toHaveLength(2);
  });

  it("looks anew after a sleep, although the socket seems open", async () => {
    await live();
    vi.setSystemTime(Date.now() + 3_600_000);
    await vi.advanceTimersByTimeAsync(4000);
    expect(FakeSocket.all).toHaveLength(2);
    expect(fetches).toBe(3);
  });

  it("says that a project is not there, and does not ask again and again", async () => {
    broken = new Refusal(404, "There is no such project.");
    sync.start();
    await vi.advanceTimersByTimeAsync(3000);
    expect(sync.read().trouble).toEqual({ missing: true, text: "There is no such project." });
    expect(fetches).toBe(1);
  });

  it("keeps what it shows while the coordinator is away, and is right when that comes back", async () => {
    const socket = await live();
    broken = new Refusal(0, "away");
    socket.tell({ type: "resync" });
    await vi.advanceTimersByTimeAsync(3000);
    expect(sync.read().trouble?.text).toBe("away");
    expect(board().order).toHaveLength(3);
    broken = null;
    studio = storyboard({ project: project({ seq: 4 }) });
    await vi.advanceTimersByTimeAsync(6000);
    expect(sync.read().trouble).toBeNull();
    expect(board().seq).toBe(4);
  });

  it("asks how a run ended that ended while nobody listened", async () => {
    studio = storyboard({ runs: [run({ kind: "partial", retry_of: id(1) })] });
    const socket = await live();
    const ended = run({ kind: "partial", retry_of: id(1), status: "completed", ended_at: "2026-11-22T11:00:00Z", version: 5 });
    vi.stubGlobal("fetch", async () => Response.json({ run: ended, scenes: [], failures: [], ahead: { images: 0, videos: 0 } }));
    studio = storyboard({ project: project({ seq: 5 }) });
    socket.tell({ type: "resync" });
    await vi.advanceTimersByTimeAsync(500);
    expect(board().runs.get(ended.id)?.status).toBe("completed");
  });

  it("is silent once it is left", async () => {
    const socket = await live();
    sync.stop();
    socket.end(1006);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(FakeSocket.all).toHaveLength(1);
    expect(fetches).toBe(2);
  });
});

it("waits double, up to a limit, and never all pages at the same moment", () => {
  expect([0, 1, 2, 9].map((failures) => backOff(failures, () => 1))).toEqual([250, 500, 1000, 5000]);
  expect(backOff(1, () => 0)).toBe(250);
});
