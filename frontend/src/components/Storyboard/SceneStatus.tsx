import { Check, CircleAlert, CircleDashed, CircleSlash, Clock, Film, Image, PencilLine } from "lucide-react";
import type { Sentence } from "@/api/contracts";
import { classes } from "@/components/ui/classes";
import { Spinner } from "@/components/ui/Spinner";
import type { CardView } from "@/storyboard/card";

/** The state of a scene in an icon and words; never by colour alone. */
export function SceneStatus({ view, sentence }: { view: CardView; sentence: Sentence }) {
  const stale = view.state === "ready" && (sentence.image_stale || sentence.video_stale);
  return (
    <span className={classes("flex min-w-0 items-center gap-1.5 text-sm", tone(view, stale))}>
      <Icon view={view} stale={stale} sentence={sentence} />
      <span className="truncate steady">{view.text}</span>
      {view.attempt > 1 && <span className="shrink-0 rounded bg-ink/10 px-1.5 text-xs leading-5 text-ink-2">attempt {view.attempt}</span>}
    </span>
  );
}

function tone(view: CardView, stale: boolean): string {
  if (stale) return "text-info";
  switch (view.state) {
    case "failed":
      return "text-bad";
    case "running":
    case "stopping":
    case "starting":
      return "text-accent-text";
    default:
      return "text-ink-2";
  }
}

function Icon({ view, stale, sentence }: { view: CardView; stale: boolean; sentence: Sentence }) {
  const shape = "size-4 shrink-0";
  if (stale) return <PencilLine aria-hidden className={shape} />;
  switch (view.state) {
    case "running":
    case "stopping":
    case "starting":
      return <Spinner className={shape} />;
    case "queued":
    case "waiting":
      return <Clock aria-hidden className={shape} />;
    case "failed":
      return <CircleAlert aria-hidden className={shape} />;
    case "cancelled":
      return <CircleSlash aria-hidden className={shape} />;
    case "empty":
      return <CircleDashed aria-hidden className={shape} />;
    case "ready":
      if (sentence.video && sentence.image) return <Film aria-hidden className={classes(shape, "text-ok")} />;
      return sentence.image ? <Image aria-hidden className={classes(shape, "text-ok")} /> : <Check aria-hidden className={shape} />;
  }
}
