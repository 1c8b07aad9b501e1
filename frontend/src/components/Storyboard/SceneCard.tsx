import { Copy, GripVertical, MessageSquareQuote, RotateCcw } from "lucide-react";
import { memo, useRef, useState } from "react";
import type { Failure, Sentence } from "@/api/contracts";
import { Bar } from "@/components/ui/Bar";
import { Button } from "@/components/ui/Button";
import { classes } from "@/components/ui/classes";
import { Hint } from "@/components/ui/Hint";
import { Message, plainMessage } from "@/components/ui/Message";
import { useFraction } from "@/hooks/useFraction";
import { type CardView, withFraction } from "@/storyboard/card";
import { languageOf } from "@/storyboard/language";
import { useSceneActions } from "./actions";
import { SceneEditor } from "./SceneEditor";
import { SceneMedia } from "./SceneMedia";
import { SceneMenu } from "./SceneMenu";
import { SceneStatus } from "./SceneStatus";

interface Props {
  sentence: Sentence;
  number: number; //: place in the story, from 1
  count: number;
  sceneId: string | null;
  view: CardView;
  failure: Failure | null;
  editing: boolean;
  current: boolean; //: the one that Tab reaches
  mediaHeight: number;
}

/** Drawn anew only when something on it has changed: a thousand of them are on one page. */
export const SceneCard = memo(SceneCardDrawn, (a, b) => {
  return (
    a.sentence === b.sentence &&
    a.sceneId === b.sceneId &&
    a.number === b.number &&
    a.count === b.count &&
    a.failure === b.failure &&
    a.editing === b.editing &&
    a.current === b.current &&
    a.mediaHeight === b.mediaHeight &&
    a.view.state === b.view.state &&
    a.view.text === b.view.text &&
    a.view.attempt === b.view.attempt
  );
});

function SceneCardDrawn({ sentence, number, count, sceneId, view: rest, failure, editing, current, mediaHeight }: Props) {
  const actions = useSceneActions();
  const view = withFraction(rest, useFraction(sceneId));
  const [looked, setLooked] = useState(false);
  const card = useRef<HTMLElement>(null);
  const active = view.state === "running" || view.state === "stopping";
  const failed = view.state === "failed" && failure;
  const shell = classes(
    "group relative flex h-full flex-col overflow-hidden rounded-xl border bg-surface transition-[border-color,box-shadow] duration-150",
    active ? "border-accent/70" : failed ? "border-bad/60" : "border-line hover:border-line-strong/70",
  );
  if (editing) {
    return (
      <article data-sentence={sentence.id} className={shell}>
        <SceneEditor sentence={sentence} number={number} />
      </article>
    );
  }
  return (
    <article
      ref={card}
      data-sentence={sentence.id}
      // A card is a place to be: arrows go from one to the next, and keys act on the one that has the focus.
      // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
      tabIndex={current ? 0 : -1}
      aria-label={`Scene ${number}. ${sentence.text}. ${view.text}${failed ? `: ${plainMessage(failure.message)}` : ""}`}
      className={shell}
      onMouseEnter={() => setLooked(true)}
      onMouseLeave={() => setLooked(card.current?.contains(document.activeElement) ?? false)}
      onFocus={() => setLooked(true)}
      onBlur={(event) => setLooked(event.currentTarget.contains(event.relatedTarget))}
    >
      <button
        type="button"
        tabIndex={-1}
        aria-label={`Open scene ${number}`}
        onClick={() => actions.open(sentence.id)}
        className="relative block w-full shrink-0 overflow-hidden bg-sunken"
        style={{ height: mediaHeight }}
      >
        <SceneMedia sentence={sentence} sceneId={sceneId} number={number} playing={looked} dimmed={active} />
        {failed && (
          <span className="absolute inset-x-0 bottom-0 line-clamp-3 bg-bad-soft/95 px-3 py-2 text-left text-sm text-bad">
            <Message text={failure.message} />
          </span>
        )}
        {active && (
          <span className="absolute inset-x-3 bottom-3">
            <Bar label={`Scene ${number}: ${view.stage ?? ""}`} value={view.fraction} tone={view.stage ?? "accent"} onPicture />
          </span>
        )}
      </button>
      <Grip number={number} id={sentence.id} />
      <button
        type="button"
        tabIndex={-1}
        title="Edit text and prompt"
        onClick={() => actions.edit(sentence.id)}
        className="mx-3.5 mt-2.5 h-[4.35rem] shrink-0 cursor-text text-left align-top"
      >
        <span lang={languageOf(sentence.text)} className="line-clamp-3 h-full font-story text-[1.0625rem] leading-[1.45rem] break-words text-ink">
          <span className="mr-2 font-sans text-sm text-ink-3 steady">{number}</span>
          {sentence.text}
        </span>
      </button>
      <div className="mt-auto flex h-11 shrink-0 items-center gap-1 pr-3 pl-3.5">
        <SceneStatus view={view} sentence={sentence} />
        <span className="ml-auto flex shrink-0 items-center">
          {sentence.prompt && (
            <Hint text={`Prompt: ${sentence.prompt}`}>
              <span className="flex size-7 items-center justify-center text-ink-3" role="img" aria-label="Has a prompt of its own">
                <MessageSquareQuote aria-hidden className="size-4" />
              </span>
            </Hint>
          )}
          <Takes sentence={sentence} />
          {failed && (
            <Button small kind="quiet" tabIndex={current ? 0 : -1} aria-label={`Retry scene ${number}`} className="px-2" onClick={() => actions.retry(sentence.id)}>
              <RotateCcw aria-hidden className="size-4" /> Retry
            </Button>
          )}
          <SceneMenu sentence={sentence} number={number} count={count} state={view.state} reachable={current} />
        </span>
      </div>
    </article>
  );
}

/** The card is dragged by it; without a mouse, its menu and the arrow keys do the same. */
function Grip({ number, id }: { number: number; id: string }) {
  return (
    <span
      draggable
      onDragStart={(event) => {
        event.dataTransfer.setData("text/plain", String(number));
        event.dataTransfer.setData("application/x-sentence", id);
        event.dataTransfer.effectAllowed = "move";
        const card = event.currentTarget.closest("article");
        if (card) event.dataTransfer.setDragImage(card, 24, 20);
      }}
      className="absolute top-2.5 left-2.5 flex size-8 cursor-grab items-center justify-center rounded-md bg-black/65 text-white opacity-0 transition-opacity group-hover:opacity-100 active:cursor-grabbing pointer-coarse:hidden"
      title="Drag to another place"
    >
      <GripVertical aria-hidden className="size-4.5" />
    </span>
  );
}

function Takes({ sentence }: { sentence: Sentence }) {
  const takes = Math.max(sentence.image_takes, sentence.video_takes);
  if (takes < 2) return null;
  return (
    <Hint text={`${sentence.image_takes} images, ${sentence.video_takes} videos to choose from`}>
      <span className="flex h-7 items-center gap-1 px-1.5 text-xs text-ink-3 steady" role="img" aria-label={`${takes} takes`}>
        <Copy aria-hidden className="size-3.5" />
        <span aria-hidden>{takes}</span>
      </span>
    </Hint>
  );
}
