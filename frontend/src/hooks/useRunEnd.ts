/** Tells the creator once, in whichever tab, that a run has ended; and puts its progress into the tab's title. */
import { useEffect, useRef } from "react";
import { toast } from "sonner";
import type { Run } from "@/api/contracts";
import { preferences } from "@/preferences";
import { go, storyboardOf } from "@/router";
import { type Board, isActive } from "@/storyboard/board";
import { endText } from "@/storyboard/progress";
import type { Sync } from "@/storyboard/sync";
import { chime } from "./chime";
import type { Presses } from "./useSceneGeneration";

const HIDDEN_WAIT_MS = 1500; //: a tab that is looked at goes first
const RETRY_MS = 3000;

/** One scene tells of itself on its card; a storyboard or a retry is worth a word. */
export function isWorthAWord(run: Run): boolean {
  return run.kind === "bulk" || run.retry_of !== null || run.scenes > 1;
}

let errorsOf: string | null = null; //: the project whose errors are to be shown
const errorsAsked = new EventTarget();

/** Wherever the page is by now: the toast stays until it was seen. */
function showErrors(projectId: string): void {
  errorsOf = projectId;
  if (location.pathname !== storyboardOf(projectId)) go(storyboardOf(projectId));
  errorsAsked.dispatchEvent(new Event("asked"));
}

export function useRunEnd(board: Board | null, sync: Sync, presses: Presses, onShowErrors: () => void): void {
  const told = useRef(new Set<string>());
  const seenActive = useRef(new Set<string>());
  const projectId = board?.project.id;
  useEffect(() => {
    const look = () => {
      if (errorsOf === null || errorsOf !== projectId) return;
      errorsOf = null;
      onShowErrors();
    };
    look();
    errorsAsked.addEventListener("asked", look);
    return () => errorsAsked.removeEventListener("asked", look);
  }, [projectId, onShowErrors]);
  useEffect(() => {
    if (!board) return;
    for (const run of board.runs.values()) {
      if (isActive(run)) {
        seenActive.current.add(run.id);
        continue;
      }
      if (!isWorthAWord(run) || told.current.has(run.id)) continue;
      told.current.add(run.id);
      if (seenActive.current.has(run.id) && document.hidden) badge(board.project.title);
      if (!run.seen) void tell(run, board.project.title, sync, presses);
    }
  }, [board, sync, presses]);
}

async function tell(run: Run, title: string, sync: Sync, presses: Presses): Promise<void> {
  if (document.hidden) await pause(HIDDEN_WAIT_MS);
  for (;;) {
    if (sync.read().known.board?.runs.get(run.id)?.seen) return;
    try {
      if (!(await presses.claimEnd(run.id))) return;
      break;
    } catch {
      await pause(RETRY_MS);
    }
  }
  const { title: words, detail, tone } = endText(run);
  const show = tone === "good" ? toast.success : tone === "mixed" ? toast.warning : toast;
  show(words, {
    description: detail,
    // Failures stay until they were seen; and a toast nobody can see yet must not run out.
    duration: tone === "mixed" || document.hidden ? Infinity : 10_000,
    ...(run.failed > 0 ? { action: { label: "Show errors", onClick: () => showErrors(run.project_id) } } : {}),
  });
  const { sound, notifications } = preferences();
  if (sound) chime(tone === "good");
  if (notifications && document.hidden && "Notification" in globalThis && Notification.permission === "granted") {
    const notification = new Notification(title, { body: `${words}. ${detail}`, tag: run.id });
    notification.addEventListener("click", () => globalThis.focus());
  }
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

let badged = false;

/** Until somebody looks: a mark in front of the tab's title. */
function badge(title: string): void {
  badged = true;
  document.title = `✓ ${title} · VideoGen Studio`;
  document.addEventListener(
    "visibilitychange",
    () => {
      badged = false;
      document.title = `${title} · VideoGen Studio`;
    },
    { once: true },
  );
}

export function useTitle(title: string): void {
  useEffect(() => {
    if (!badged) document.title = title;
  }, [title]);
}
