/**
 * The storyboard as this page knows it: a snapshot, and every event since. Pure.
 *
 * Each stored change of a project has a number, its `seq`, and each event carries the whole state of what
 * it changed. So the page keeps for each thing the `seq` it is as of, and takes whatever is newer. Events may
 * come twice, late or not at all: a repeat changes nothing, and a number that stays away means that a
 * snapshot has to be fetched (`stale` at once, `gap` after a short wait).
 */
import type { BrowserEvent, Project, Run, Scene, Sentence, Stage, Storyboard } from "@/api/contracts";

export interface Held<T> {
  value: T;
  asOf: number;
}

/** How far a running job is. */
export interface Fraction {
  stage: Stage;
  attempt: number;
  fraction: number;
}

/** What a running job will look like. */
export interface Preview {
  stage: Stage;
  attempt: number;
  picture: string; //: a JPEG, as base64
}

/** What the creator has just pressed, shown before the coordinator has answered. */
export interface Pressed {
  stages: ReadonlyMap<string, Stage>; //: by sentence: what is to be made of it first
  run: Run | null; //: set once it is answered
}

export interface Board {
  project: Project;
  order: readonly string[]; //: ids of the sentences, in story order; what is not in it is not shown
  sentences: ReadonlyMap<string, Held<Sentence>>;
  scenes: ReadonlyMap<string, Held<Scene>>; //: the latest of each sentence, by the sentence's id
  runs: ReadonlyMap<string, Run>;
  fractions: ReadonlyMap<string, Fraction>; //: by scene
  previews: ReadonlyMap<string, Preview>; //: by scene
  seq: number; //: every change up to this one is in here
  fetched: number; //: `seq` of the last snapshot
  ahead: readonly number[]; //: changes that are in here too, although one before them is missing
  stale: boolean; //: the page must fetch
}

/** What is made, without how far it is. */
export type Story = Pick<Board, "order" | "sentences" | "scenes">;

/** An order that the creator has just made, by moving or deleting. */
export interface Arranged {
  order: readonly string[];
  known: "here" | "studio" | "fetching"; //: the studio does not have it yet, has it, and is being asked for it
}

export interface State {
  board: Board | null; //: null until the first snapshot
  early: readonly BrowserEvent[]; //: what came before it
  pressed: Pressed | null;
  arranged: Arranged | null; //: stays until a snapshot must have it, since an older one may be on its way
  stopping: ReadonlySet<string>; //: runs whose cancel was pressed and is not yet answered
}

export type Action =
  | { type: "events"; events: readonly BrowserEvent[] }
  | { type: "fetching" }
  | { type: "snapshot"; storyboard: Storyboard }
  | { type: "run_answered"; run: Run }
  | { type: "scene_answered"; scene: Scene }
  | { type: "sentence_edited"; sentence: Sentence }
  | { type: "arranged"; order: readonly string[] }
  | { type: "order_answered"; order: readonly string[] }
  | { type: "order_refused" }
  | { type: "pressed"; stages: ReadonlyMap<string, Stage> }
  | { type: "press_answered"; run: Run }
  | { type: "press_refused" }
  | { type: "cancel_pressed"; runId: string }
  | { type: "cancel_refused"; runId: string };

export const NOTHING: State = { board: null, early: [], pressed: null, arranged: null, stopping: new Set() };

const MOST_EARLY = 2000;

export function isActive(run: Run): boolean {
  return run.status === "running" || run.status === "paused" || run.status === "cancelling";
}

export function isSettled(scene: Scene): boolean {
  return scene.status === "done" || scene.status === "failed" || scene.status === "cancelled";
}

/** Whether a change is missing between those that have arrived. */
export function hasGap(board: Board): boolean {
  return board.ahead.length > 0;
}

export function reduce(state: State, action: Action): State {
  switch (action.type) {
    case "events":
      return takeEvents(state, action.events);
    case "fetching": {
      const { arranged } = state;
      const asked = arranged?.known === "studio" ? { ...state, arranged: { ...arranged, known: "fetching" as const } } : state;
      return withBoard(asked, (board) => (board.stale ? { ...board, stale: false } : board));
    }
    case "snapshot":
      return takeSnapshot(state, action.storyboard);
    case "run_answered":
      return tidy(withBoard(state, (board) => ({ ...board, runs: takeRun(board.runs, action.run) })));
    case "scene_answered":
      return withBoard(state, (board) => ({ ...board, scenes: takeScene(board, action.scene, board.seq) }));
    case "sentence_edited":
      return withBoard(state, (board) => {
        const held = board.sentences.get(action.sentence.id);
        if (!held) return board;
        // Shown at once, and replaced by whatever the studio says about it next.
        return { ...board, sentences: put(board.sentences, action.sentence.id, { ...held, value: action.sentence }) };
      });
    case "arranged":
      return withBoard({ ...state, arranged: { order: action.order, known: "here" } }, (board) => ({ ...board, order: action.order }));
    case "order_answered":
      // The answer to one before the last leaves the last one open.
      return state.arranged?.order === action.order ? { ...state, arranged: { ...state.arranged, known: "studio" } } : state;
    case "order_refused":
      return { ...state, arranged: null };
    case "pressed":
      return { ...state, pressed: { stages: action.stages, run: null } };
    case "press_answered": {
      const answered = { ...state, pressed: state.pressed && { ...state.pressed, run: action.run } };
      return tidy(withBoard(answered, (board) => ({ ...board, runs: takeRun(board.runs, action.run) })));
    }
    case "press_refused":
      return { ...state, pressed: null };
    case "cancel_pressed":
      return { ...state, stopping: new Set([...state.stopping, action.runId]) };
    case "cancel_refused":
      return { ...state, stopping: without(state.stopping, action.runId) };
  }
}

function withBoard(state: State, change: (board: Board) => Board): State {
  if (!state.board) return state;
  const board = change(state.board);
  return board === state.board ? state : { ...state, board };
}

/** Forget what was pressed as soon as the studio itself shows it. */
function tidy(state: State): State {
  const { board } = state;
  if (!board) return state;
  const { pressed, stopping } = state;
  const shown = pressed?.run && board.fetched >= pressed.run.version;
  const open = [...stopping].filter((id) => board.runs.get(id)?.status !== "cancelling" && stillOpen(board, id));
  if (!shown && open.length === stopping.size) return state;
  return { ...state, pressed: shown ? null : pressed, stopping: open.length === stopping.size ? stopping : new Set(open) };
}

function stillOpen(board: Board, runId: string): boolean {
  const run = board.runs.get(runId);
  return run !== undefined && isActive(run);
}

// Events.

function takeEvents(state: State, events: readonly BrowserEvent[]): State {
  if (!state.board) {
    const early = [...state.early, ...events.filter((event) => event.type !== "worker_seen")];
    return { ...state, early: early.slice(-MOST_EARLY) };
  }
  let board = state.board;
  for (const event of events) board = takeEvent(board, event);
  return board === state.board ? state : tidy({ ...state, board });
}

function takeEvent(board: Board, event: BrowserEvent): Board {
  switch (event.type) {
    case "worker_seen":
      return board;
    case "resync":
      return { ...board, stale: true };
    case "scene_progressed": {
      const before = board.fractions.get(event.scene_id);
      const { stage, attempt, fraction } = event;
      if (isOld(board, event, before)) return board;
      if (before?.stage === stage && before.attempt === attempt && before.fraction >= fraction) return board;
      return { ...board, fractions: put(board.fractions, event.scene_id, { stage, attempt, fraction }) };
    }
    case "scene_previewed": {
      const { stage, attempt, picture } = event;
      if (isOld(board, event, board.previews.get(event.scene_id))) return board;
      return { ...board, previews: put(board.previews, event.scene_id, { stage, attempt, picture }) };
    }
  }
  if (event.project_id !== board.project.id || event.seq <= board.seq || board.ahead.includes(event.seq)) return board;
  switch (event.type) {
    case "scene_changed":
      return advance(takeChanges(board, event.seq, event.scenes, event.sentences, event.run), event.seq);
    case "run_changed":
      return advance({ ...board, runs: takeRun(board.runs, event.run), stale: board.stale || event.reset }, event.seq);
    case "storyboard_changed":
      return advance({ ...board, stale: true }, event.seq);
  }
}

type Passing = Extract<BrowserEvent, { type: "scene_progressed" | "scene_previewed" }>;
type Place = Pick<Fraction, "stage" | "attempt">;

/** Whether what is told of a running job is of another project, of an earlier attempt, or of a job that is over. */
function isOld(board: Board, event: Passing, before: Place | undefined): boolean {
  if (event.project_id !== board.project.id) return true;
  if (before && before.stage === event.stage && before.attempt > event.attempt) return true;
  const scene = board.scenes.get(event.sentence_id)?.value;
  return scene?.id === event.scene_id && (isSettled(scene) || (scene.stage === "video" && event.stage === "image"));
}

function takeChanges(
  board: Board,
  seq: number,
  scenes: readonly Scene[],
  sentences: readonly Sentence[],
  run: Run | null,
): Board {
  let changed = board;
  for (const scene of scenes) {
    changed = {
      ...changed,
      scenes: takeScene(changed, scene, seq),
      fractions: forget(changed.fractions, scene),
      previews: forget(changed.previews, scene),
    };
  }
  for (const sentence of sentences) {
    const held = changed.sentences.get(sentence.id);
    // One that is not in the order yet is kept too: the snapshot that brings it may have been read before this.
    if (!held || held.asOf < seq) {
      changed = { ...changed, sentences: put(changed.sentences, sentence.id, { value: sentence, asOf: seq }) };
    }
  }
  return run ? { ...changed, runs: takeRun(changed.runs, run) } : changed;
}

function takeScene(board: Board, scene: Scene, seq: number): Board["scenes"] {
  const held = board.scenes.get(scene.sentence_id);
  const newer = !held || (held.value.id === scene.id ? held.value.version < scene.version : held.asOf < seq);
  return newer ? put(board.scenes, scene.sentence_id, { value: scene, asOf: seq }) : board.scenes;
}

function takeRun(runs: Board["runs"], run: Run): Board["runs"] {
  const held = runs.get(run.id);
  // An answer that changed nothing is as of the last change, which may have been of something else.
  return held && held.version >= run.version ? runs : put(runs, run.id, run);
}

/** What was told of a job that is over is of no use, and would be shown for the next one. */
function forget<T extends Place>(told: ReadonlyMap<string, T>, scene: Scene): ReadonlyMap<string, T> {
  const held = told.get(scene.id);
  const over = held && (isSettled(scene) || scene.stage !== held.stage || scene.attempt > held.attempt);
  if (!over) return told;
  const left = new Map(told);
  left.delete(scene.id);
  return left;
}

function advance(board: Board, seen: number): Board {
  const ahead = new Set([...board.ahead, seen]);
  let { seq } = board;
  while (ahead.delete(seq + 1)) seq += 1;
  return { ...board, seq, ahead: [...ahead].sort((a, b) => a - b) };
}

// Snapshots.

function takeSnapshot(state: State, given: Storyboard): State {
  const { seq } = given.project;
  const before = state.board;
  const sentences = new Map<string, Held<Sentence>>();
  for (const sentence of given.sentences) sentences.set(sentence.id, newest(before?.sentences.get(sentence.id), sentence, seq));
  const scenes = new Map<string, Held<Scene>>();
  for (const scene of given.scenes) {
    const held = before?.scenes.get(scene.sentence_id);
    const ours = held && held.value.id === scene.id && held.value.version > scene.version;
    scenes.set(scene.sentence_id, ours ? held : newest(held, scene, seq));
  }
  for (const [id, held] of before?.sentences ?? []) if (!sentences.has(id) && held.asOf > seq) sentences.set(id, held);
  for (const [id, held] of before?.scenes ?? []) if (!scenes.has(id) && held.asOf > seq) scenes.set(id, held);
  let runs: Board["runs"] = new Map(given.runs.map((run) => [run.id, run]));
  for (const run of before?.runs.values() ?? []) {
    // What is not among them has ended, unless it began after they were read.
    if (runs.has(run.id) || run.version > seq) runs = takeRun(runs, run);
  }
  const arranged = state.arranged?.known === "fetching" ? null : state.arranged;
  const order = arranged ? arranged.order.filter((id) => sentences.has(id)) : given.sentences.map((sentence) => sentence.id);
  const reached = Math.max(seq, before?.seq ?? 0);
  const board: Board = {
    project: before && before.project.seq > seq ? before.project : same(before?.project, given.project),
    order: same(before?.order, order),
    sentences,
    scenes,
    runs,
    fractions: keepRunning(before?.fractions, scenes),
    previews: keepRunning(before?.previews, scenes),
    seq: reached,
    fetched: Math.max(seq, before?.fetched ?? 0),
    ahead: (before?.ahead ?? []).filter((number) => number > reached),
    stale: before?.stale ?? false,
  };
  const taken = tidy({ ...state, arranged, board: advanced(board), early: [] });
  return state.early.length ? takeEvents(taken, state.early) : taken;
}

function advanced(board: Board): Board {
  const [first] = board.ahead;
  return first === board.seq + 1 ? advance({ ...board, ahead: board.ahead.slice(1) }, first) : board;
}

function newest<T>(held: Held<T> | undefined, value: T, asOf: number): Held<T> {
  if (!held) return { value, asOf };
  if (held.asOf > asOf) return held;
  const kept = same(held.value, value);
  return { value: kept, asOf };
}

/** The object that is held already where the new one says the same: nothing has to be drawn again. */
function same<T>(held: T | undefined, value: T): T {
  return held !== undefined && JSON.stringify(held) === JSON.stringify(value) ? held : value;
}

function keepRunning<T>(told: ReadonlyMap<string, T> | undefined, scenes: Board["scenes"]): ReadonlyMap<string, T> {
  if (!told?.size) return new Map();
  const running = new Set<string>();
  for (const { value } of scenes.values()) if (!isSettled(value)) running.add(value.id);
  return new Map([...told].filter(([id]) => running.has(id)));
}

function put<K, V>(map: ReadonlyMap<K, V>, key: K, value: V): ReadonlyMap<K, V> {
  return new Map(map).set(key, value);
}

function without<T>(set: ReadonlySet<T>, value: T): ReadonlySet<T> {
  const left = new Set(set);
  left.delete(value);
  return left;
}
