/**
 * Keeps one board true: connects, fetches, applies what comes, and fetches again when something is missing.
 * Knows neither React nor how a board is drawn.
 */
import { ask, askFully, clockAhead, http, Refusal } from "@/api/client";
import type { BrowserEvent, Storyboard, Worker } from "@/api/contracts";
import { backOff, type Connection, Stream } from "@/api/stream";
import { type Action, type Board, hasGap, isActive, NOTHING, reduce, type State } from "./board";

const FRAME_MS = 16; //: events that come within one are applied together
const GAP_MS = 500; //: for a missing change to arrive by itself
const JITTER_MS = 150; //: so that many pages do not fetch at the same moment
const UNHEARD_MS = 4000; //: between fetches while the socket is closed
const PULSE_MS = 4000;
const ASLEEP_MS = 12_000; //: a pulse this late means that the device slept, and the socket may be dead

export interface Trouble {
  missing: boolean; //: there is no such project
  text: string;
}

export interface Synced {
  known: State;
  connection: Connection;
  trouble: Trouble | null; //: why there is no newer state
  clockAhead: number;
}

type Fetch = (projectId: string) => Promise<{ storyboard: Storyboard; clockAhead: number }>;

export class Sync {
  state: Synced = { known: NOTHING, connection: "connecting", trouble: null, clockAhead: 0 };
  private story: Synced = this.state;
  onWorker: (worker: Worker) => void = () => {};
  private readonly listeners = new Set<() => void>();
  private stream: Stream | null = null;
  private events: BrowserEvent[] = [];
  private flushTimer: Timer;
  private gapTimer: Timer;
  private fetchTimer: Timer;
  private pulseTimer: ReturnType<typeof setInterval> | undefined;
  private gapAt: number | null = null;
  private fetching = false;
  private fetchAgain = false;
  private failures = 0;
  private lastFlush = 0;
  private lastPulse = 0;
  private stopped = true;
  private starts = 0; //: tells a connect of before a stop from the present one
  private readonly projectId: string;
  private readonly fetchBoard: Fetch;

  constructor(projectId: string, fetchBoard: Fetch = fetchStoryboard) {
    this.projectId = projectId;
    this.fetchBoard = fetchBoard;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly read = (): Synced => this.state;

  /** The same, but an older one as long as nothing else has changed than how far jobs are. */
  readonly readStory = (): Synced => this.story;

  start(): void {
    this.stopped = false;
    this.starts += 1;
    this.lastPulse = Date.now();
    this.pulseTimer = setInterval(this.pulse, PULSE_MS);
    document.addEventListener("visibilitychange", this.wake);
    void this.connect();
  }

  stop(): void {
    this.stopped = true;
    this.stream?.close();
    this.stream = null;
    clearInterval(this.pulseTimer);
    for (const timer of [this.flushTimer, this.gapTimer, this.fetchTimer]) clearTimeout(timer);
    document.removeEventListener("visibilitychange", this.wake);
  }

  dispatch(action: Action): void {
    const known = reduce(this.state.known, action);
    if (known === this.state.known) return;
    this.become({ ...this.state, known });
    this.watch();
  }

  /** Fetch as soon as possible; during a fetch: once more after it, since that one may have been too early. */
  readonly refresh = (): void => {
    if (this.stopped) return;
    if (this.fetching) {
      this.fetchAgain = true;
      return;
    }
    clearTimeout(this.fetchTimer);
    this.fetchTimer = undefined;
    void this.fetch();
  };

  private async connect(): Promise<void> {
    // The board must not wait for the socket: it is fetched now, and again once events come.
    this.refresh();
    const start = this.starts;
    const over = () => this.stopped || start !== this.starts;
    for (let failures = 0; !over(); failures += 1) {
      try {
        const { socket_url } = await ask(http.GET("/api/v1/config"));
        if (over()) return;
        this.stream = new Stream(`${socket_url}/api/v1/projects/${this.projectId}/events`, {
          opened: this.refresh,
          received: this.receive,
          changed: (connection) => this.become({ ...this.state, connection }),
        });
        this.stream.open();
        return;
      } catch (error) {
        if (error instanceof Refusal && !error.passing) return;
        await new Promise((resolve) => setTimeout(resolve, backOff(failures)));
      }
    }
  }

  private readonly receive = (event: BrowserEvent): void => {
    if (event.type === "worker_seen") {
      this.onWorker(event);
      return;
    }
    this.events.push(event);
    // A timer, since frames stop in a tab behind others and the events must not pile up there.
    this.flushTimer ??= setTimeout(this.flush, Math.max(0, this.lastFlush + FRAME_MS - performance.now()));
  };

  private readonly flush = (): void => {
    this.flushTimer = undefined;
    this.lastFlush = performance.now();
    const { events } = this;
    this.events = [];
    this.dispatch({ type: "events", events });
  };

  /** Fetch when the board says that it has to be. */
  private watch(): void {
    const { board } = this.state.known;
    if (!board) return;
    if (board.stale && !this.fetchTimer && !this.fetching) {
      this.fetchTimer = setTimeout(this.refresh, Math.random() * JITTER_MS);
    }
    if (!hasGap(board)) {
      clearTimeout(this.gapTimer);
      this.gapTimer = undefined;
      this.gapAt = null;
    } else if (this.gapAt !== board.seq) {
      // Another change is missing than before, and has its own time to arrive.
      clearTimeout(this.gapTimer);
      this.gapAt = board.seq;
      this.gapTimer = setTimeout(this.refresh, GAP_MS + Math.random() * JITTER_MS);
    }
  }

  private async fetch(): Promise<void> {
    this.fetching = true;
    this.fetchAgain = false;
    this.dispatch({ type: "fetching" });
    try {
      const { storyboard, clockAhead } = await this.fetchBoard(this.projectId);
      if (this.stopped) return;
      this.failures = 0;
      const vanished = this.vanished(storyboard);
      const known = reduce(this.state.known, { type: "snapshot", storyboard });
      this.become({ ...this.state, known, trouble: null, clockAhead });
      for (const runId of vanished) void this.readEnd(runId);
    } catch (error) {
      if (this.stopped) return;
      this.fail(error);
    } finally {
      this.fetching = false;
      if (!this.stopped) {
        if (this.fetchAgain) this.refresh();
        else this.watch();
      }
    }
  }

  private fail(error: unknown): void {
    const refusal = error instanceof Refusal ? error : new Refusal(0, String(error));
    this.become({ ...this.state, trouble: { missing: refusal.status === 404, text: refusal.message } });
    if (!refusal.passing) return;
    clearTimeout(this.fetchTimer);
    this.fetchTimer = setTimeout(this.refresh, backOff(this.failures));
    this.failures += 1;
  }

  /** Runs that were active here and are not among those of the snapshot: they ended while nobody listened. */
  private vanished(storyboard: Storyboard): string[] {
    const given = new Set(storyboard.runs.map((run) => run.id));
    const held = [...(this.state.known.board?.runs.values() ?? [])];
    return held.filter((run) => isActive(run) && !given.has(run.id) && run.version <= storyboard.project.seq).map((run) => run.id);
  }

  private async readEnd(runId: string): Promise<void> {
    try {
      const { run } = await ask(http.GET("/api/v1/runs/{run_id}", { params: { path: { run_id: runId } } }));
      if (!this.stopped) this.dispatch({ type: "run_answered", run });
    } catch {
      // Its scenes are known; only the word about its end is lost.
    }
  }

  private readonly pulse = (): void => {
    const now = Date.now();
    const late = now - this.lastPulse;
    this.lastPulse = now;
    if (late > ASLEEP_MS) {
      this.stream?.again();
      this.refresh();
    } else if (this.state.connection !== "live" && !this.fetchTimer && late >= UNHEARD_MS - 500) {
      this.refresh();
    }
  };

  private readonly wake = (): void => {
    if (document.visibilityState === "visible" && this.state.connection !== "live") this.stream?.again();
  };

  private become(next: Synced): void {
    this.state = next;
    if (!sameStory(this.story, next)) this.story = next;
    for (const listener of this.listeners) listener();
  }
}

type Timer = ReturnType<typeof setTimeout> | undefined;

/** Told many times a second, and each shown by only one card. */
const PASSING = new Set<string>(["fractions", "previews"] satisfies (keyof Board)[]);

/** Whether two states tell the same, how far jobs are and what they look like aside. */
function sameStory(one: Synced, other: Synced): boolean {
  const [a, b] = [one.known.board, other.known.board];
  const { known: _, ...around } = one;
  if (Object.entries(around).some(([name, value]) => other[name as keyof Synced] !== value)) return false;
  if (one.known.pressed !== other.known.pressed || one.known.stopping !== other.known.stopping) return false;
  if (!a || !b) return a === b;
  return Object.keys(a).every((name) => PASSING.has(name) || a[name as keyof Board] === b[name as keyof Board]);
}

declare global {
  interface Window {
    /** Asked for by `public/first.js` while this script was still on its way. */
    firstSnapshot?: { projectId: string; response: Promise<Response> } | undefined;
  }
}

async function fetchStoryboard(projectId: string): Promise<{ storyboard: Storyboard; clockAhead: number }> {
  const first = window.firstSnapshot;
  // Good for once: whatever is asked for later must be newer.
  window.firstSnapshot = undefined;
  if (first?.projectId === projectId) {
    const response = await first.response.catch(() => null);
    if (response?.ok) {
      const storyboard = (await response.json()) as Storyboard;
      return { storyboard, clockAhead: clockAhead(response, Date.now()) };
    }
  }
  const request = http.GET("/api/v1/projects/{project_id}", { params: { path: { project_id: projectId } } });
  const { data, response } = await askFully(request);
  return { storyboard: data, clockAhead: clockAhead(response, Date.now()) };
}
