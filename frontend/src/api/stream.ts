/** The socket of one project: opens it, keeps it open, and tells how it stands. */
import type { BrowserEvent } from "./contracts";
import { loginWanted } from "./client";

export type Connection =
  | "connecting" //: for the first time
  | "live"
  | "reconnecting"
  | "offline" //: this device has no network
  | "refused"; //: told to stop asking

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 5000;
const OPEN_LIMIT_MS = 8000;
const LOGIN_CODE = 4401;

export interface StreamListener {
  opened: () => void;
  received: (event: BrowserEvent) => void;
  changed: (connection: Connection) => void;
}

export class Stream {
  connection: Connection = "connecting";
  private socket: WebSocket | null = null;
  private failures = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private closed = false;
  private readonly url: string;
  private readonly listener: StreamListener;

  constructor(url: string, listener: StreamListener) {
    this.url = url;
    this.listener = listener;
    globalThis.addEventListener("online", this.again);
    globalThis.addEventListener("offline", this.lost);
  }

  open(): void {
    if (this.closed) return;
    clearTimeout(this.timer);
    this.drop();
    const socket = new WebSocket(this.url);
    this.socket = socket;
    // A handshake that nobody answers would otherwise last as long as the system likes.
    this.timer = setTimeout(() => socket.readyState === WebSocket.CONNECTING && this.ended(0), OPEN_LIMIT_MS);
    socket.addEventListener("open", () => {
      if (socket !== this.socket) return;
      clearTimeout(this.timer);
      this.failures = 0;
      this.become("live");
      this.listener.opened();
    });
    socket.addEventListener("message", (message) => {
      if (socket === this.socket) this.listener.received(JSON.parse(message.data as string) as BrowserEvent);
    });
    socket.addEventListener("close", (close) => {
      if (socket === this.socket) this.ended(close.code);
    });
  }

  /** Try at once: something says that it may work now, or that the old socket is dead. */
  readonly again = (): void => {
    if (this.closed || this.connection === "refused") return;
    this.failures = 0;
    if (this.connection !== "connecting") this.become("reconnecting");
    this.open();
  };

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
    globalThis.removeEventListener("online", this.again);
    globalThis.removeEventListener("offline", this.lost);
    this.drop();
  }

  private readonly lost = (): void => {
    this.become("offline");
  };

  private ended(code: number): void {
    this.drop();
    clearTimeout(this.timer);
    if (code >= 4400 && code < 4500) {
      this.become("refused");
      if (code === LOGIN_CODE) loginWanted.dispatchEvent(new Event("login"));
      return;
    }
    this.become(globalThis.navigator.onLine ? "reconnecting" : "offline");
    this.timer = setTimeout(() => this.open(), backOff(this.failures));
    this.failures += 1;
  }

  private drop(): void {
    const { socket } = this;
    this.socket = null;
    socket?.close();
  }

  private become(connection: Connection): void {
    if (this.connection === connection) return;
    this.connection = connection;
    this.listener.changed(connection);
  }
}

/** Between half and all of a wait that doubles: many pages must not come back at the same moment. */
export function backOff(failures: number, random: () => number = Math.random): number {
  const most = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** failures);
  return most * (0.5 + random() / 2);
}
