/** The one road to the coordinator. Every failure becomes a `Refusal` that can be shown as it is. */
import createClient from "openapi-fetch";
import type { Artifact, Problem, SmallWidth } from "./contracts";
import type { paths } from "./contracts.gen";

/** Why a request was not done, in words for the creator. */
export class Refusal extends Error {
  readonly status: number;
  readonly errors: NonNullable<Problem["errors"]>;
  readonly runId: string | null;

  constructor(status: number, detail: string, problem?: Partial<Problem>) {
    super(detail);
    this.name = "Refusal";
    this.status = status;
    this.errors = problem?.errors ?? [];
    this.runId = problem?.run_id ?? null;
  }

  /** Whether it was the way there that failed, so that the same request may work in a moment. */
  get passing(): boolean {
    return this.status === 0 || this.status >= 500;
  }

  /** What was wrong with one field, if that was it. */
  of(field: string): string | undefined {
    return this.errors.find((error) => error.field === field || error.field.startsWith(`${field}[`))?.message;
  }
}

export const UNREACHABLE = "The studio does not answer. Nothing is lost; this page tries again by itself.";

/** Called when the coordinator wants a login first. */
export const loginWanted = new EventTarget();

export const http = createClient<paths>({
  baseUrl: globalThis.location?.origin ?? "",
  // Looked up at each call: tests put their own in its place.
  fetch: (request) => globalThis.fetch(request),
});

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** The answer's body, or a `Refusal`. */
export async function ask<T>(request: Promise<Answer<T>>): Promise<T> {
  return (await askFully(request)).data;
}

export async function askFully<T>(request: Promise<Answer<T>>): Promise<{ data: T; response: Response }> {
  let answer: Answer<T>;
  try {
    answer = await request;
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Refusal(0, UNREACHABLE);
  }
  const { response } = answer;
  if (response.ok) return { data: answer.data as T, response };
  const problem = (typeof answer.error === "object" ? answer.error : null) as Partial<Problem> | null;
  if (response.status === 401) loginWanted.dispatchEvent(new Event("login"));
  throw new Refusal(response.status, problem?.detail ?? `The studio answered with error ${response.status}.`, problem ?? {});
}

/** Where a file is. Its content never changes, so browsers keep it. */
export function fileUrl(artifact: Artifact): string {
  return `/api/v1/artifacts/${artifact.key}`;
}

const SMALL: SmallWidth[] = [480, 960];

/** For an `<img>` that shows an image small: a fraction of its bytes, and sharp on every screen. `sizes` is how wide it is drawn. */
export function smallImage(image: Artifact, sizes: string): { srcSet?: string; sizes?: string; src: string } {
  const whole = fileUrl(image);
  const small = SMALL.filter((width) => width < image.width).map((width) => `${whole}?width=${width} ${width}w`);
  return small.length ? { srcSet: [...small, `${whole} ${image.width}w`].join(", "), sizes, src: whole } : { src: whole };
}

export function exportUrl(projectId: string): string {
  return `/api/v1/projects/${projectId}/export`;
}

/** How far the studio's clock is ahead of this device's, in milliseconds. */
export function clockAhead(response: Response, now: number): number {
  const told = Date.parse(response.headers.get("date") ?? "");
  // The header counts whole seconds; less than two cannot be told from none.
  return Number.isNaN(told) || Math.abs(told - now) < 2000 ? 0 : told - now;
}
