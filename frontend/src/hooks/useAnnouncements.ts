import { useEffect, useRef } from "react";
import type { Run } from "@/api/contracts";
import { announce } from "@/components/ui/Announcer";
import type { Board } from "@/storyboard/board";
import { announcement, focusRun } from "@/storyboard/progress";

/** Say aloud how the generation goes: its start, quarters, failures and end, and nothing between. */
export function useAnnouncements(board: Board | null): void {
  const before = useRef<Run | null>(null);
  const first = useRef(true);
  useEffect(() => {
    if (!board) return;
    // The run that was spoken of, until its end has been said.
    const now = (before.current && board.runs.get(before.current.id)) ?? focusRun(board);
    if (now) {
      const words = first.current ? null : announcement(before.current, now);
      if (words) announce(words);
    }
    first.current = false;
    before.current = now && now.ended_at === null ? now : null;
  }, [board]);
}
