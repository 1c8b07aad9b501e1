import { ChevronRight, Copy, RotateCcw } from "lucide-react";
import { useRef } from "react";
import { toast } from "sonner";
import { smallImage } from "@/api/client";
import { Button, IconButton } from "@/components/ui/Button";
import { Message } from "@/components/ui/Message";
import { Modal } from "@/components/ui/Modal";
import type { Size } from "@/api/contracts";
import { type FailedScene, failedCount, type FailureGroup, report, smallerText } from "@/storyboard/failures";
import { languageOf } from "@/storyboard/language";
import { counted } from "@/storyboard/plan";

interface Props {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  groups: readonly FailureGroup[];
  size: Size; //: of the project
  onRetry: (failed: readonly FailedScene[]) => void;
  onOpenScene: (sentenceId: string) => void;
  returnFocus: () => HTMLElement | null | undefined;
}

const SMALLER = "The project's size would fail again, so a retry makes these smaller. The project keeps its size.";
const MOST_SHOWN = 200; //: of one cause; nobody reads more, and all are retried

/** What failed, by cause, with what to do about each, and a retry for all, one cause, or one sentence. */
export function ErrorSummaryDialog({ open, onOpenChange, groups, size, onRetry, onOpenScene, returnFocus }: Props) {
  const count = failedCount(groups);
  const retryAll = useRef<HTMLButtonElement>(null);
  const all = groups.flatMap((group) => group.failed);
  return (
    <Modal
      open={open}
      onOpenChange={onOpenChange}
      wide
      title={count ? `${counted(count, "scene")} failed` : "Nothing is left to fix"}
      description={
        count
          ? "Everything else is kept. A retry makes only what is missing: an image that is there is not made again."
          : "Every failed scene is made, or is being made again."
      }
      initialFocus={retryAll}
      returnFocus={returnFocus}
      footer={
        count ? (
          <>
            <Button onClick={() => void copy(all.map(report).join("\n\n"))}>
              <Copy aria-hidden className="size-4" /> Copy all details
            </Button>
            <Button ref={retryAll} kind="primary" onClick={() => onRetry(all)}>
              <RotateCcw aria-hidden className="size-4" /> {count === 1 ? "Retry it" : `Retry all ${count}`} {smallerText(all, size)}
            </Button>
          </>
        ) : (
          <Button kind="primary" onClick={() => onOpenChange(false)}>
            Close
          </Button>
        )
      }
    >
      <div className="flex flex-col gap-8">
        {groups.map((group) => (
          <Group key={group.cause} group={group} size={size} alone={groups.length === 1} onRetry={onRetry} onOpenScene={onOpenScene} />
        ))}
      </div>
    </Modal>
  );
}

interface GroupProps extends Pick<Props, "size" | "onRetry" | "onOpenScene"> {
  group: FailureGroup;
  alone: boolean;
}

function Group({ group, size, alone, onRetry, onOpenScene }: GroupProps) {
  const { failed } = group;
  const smaller = smallerText(failed, size);
  const id = `cause-${group.cause}`;
  return (
    <section aria-labelledby={id}>
      <div className="mb-3 flex flex-wrap items-start gap-x-4 gap-y-2">
        <div className="min-w-60 flex-1">
          <h3 id={id} className="font-medium">
            {group.title}
            <span className="ml-2 rounded-md bg-bad-soft px-1.5 py-0.5 text-sm font-normal text-bad steady">{counted(failed.length, "scene")}</span>
          </h3>
          <p className="mt-1 max-w-prose text-sm text-ink-2">
            <Message text={smaller ? SMALLER : group.advice} />
          </p>
        </div>
        {!alone && (
          <Button small onClick={() => onRetry(failed)}>
            <RotateCcw aria-hidden className="size-4" /> {failed.length > 1 ? `Retry these ${failed.length}` : "Retry this one"} {smaller}
          </Button>
        )}
      </div>
      <ul className="divide-y divide-line rounded-xl border border-line">
        {failed.slice(0, MOST_SHOWN).map((each) => (
          <Row key={each.scene.id} failed={each} size={size} onRetry={onRetry} onOpenScene={onOpenScene} />
        ))}
      </ul>
      {failed.length > MOST_SHOWN && <p className="mt-2 text-sm text-ink-2">And {failed.length - MOST_SHOWN} more with the same cause.</p>}
    </section>
  );
}

function Row({ failed, size, onRetry, onOpenScene }: Pick<Props, "size" | "onRetry" | "onOpenScene"> & { failed: FailedScene }) {
  const { sentence, scene, failure } = failed;
  const smaller = smallerText([failed], size);
  const image = scene.image ?? sentence.image;
  return (
    <li className="flex flex-wrap gap-3 p-3 sm:flex-nowrap">
      <button
        type="button"
        aria-label={`Open scene ${sentence.position}`}
        onClick={() => onOpenScene(sentence.id)}
        className="relative flex h-14 w-24 shrink-0 items-center justify-center overflow-hidden rounded-md bg-sunken"
      >
        {image ? (
          <img {...smallImage(image, "96px")} alt="" className="size-full object-cover" />
        ) : (
          <span aria-hidden className="font-story text-2xl text-ink-3 steady">
            {sentence.position}
          </span>
        )}
      </button>
      <div className="min-w-0 flex-1 max-sm:basis-40">
        <p lang={languageOf(sentence.text)} className="line-clamp-2 font-story text-[1.0625rem] leading-snug">
          <span className="mr-1.5 font-sans text-sm text-ink-3 steady">{sentence.position}</span>
          {sentence.text}
        </p>
        <p className="mt-0.5 text-sm text-bad">
          {scene.stage === "image" ? "Image" : "Video"}: <Message text={failure.message} />
        </p>
        {failure.detail && (
          <details className="group/details mt-1 text-sm">
            <summary className="inline-flex list-none items-center gap-1 rounded text-ink-2 hover:text-ink [&::-webkit-details-marker]:hidden">
              <ChevronRight aria-hidden className="size-3.5 transition-transform group-open/details:rotate-90" />
              Technical detail
            </summary>
            <pre
              // It scrolls, so the keyboard must be able to get there.
              // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
              tabIndex={0}
              className="mt-1.5 max-h-48 overflow-auto rounded-md bg-sunken p-2.5 text-xs leading-5 whitespace-pre-wrap text-ink-2"
            >
              {failure.detail}
            </pre>
          </details>
        )}
      </div>
      <div className="flex shrink-0 items-start justify-end gap-1 max-sm:w-full">
        <IconButton small label={`Copy details of scene ${sentence.position}`} onClick={() => void copy(report(failed))}>
          <Copy aria-hidden className="size-4" />
        </IconButton>
        <Button small aria-label={`Retry scene ${sentence.position} ${smaller}`.trim()} onClick={() => onRetry([failed])}>
          Retry {smaller}
        </Button>
      </div>
    </li>
  );
}

async function copy(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    toast.success("Copied");
  } catch {
    // Not every address may use the clipboard: what is not served from this machine needs HTTPS.
    toast.error("This browser did not let the page copy. Open the technical detail and copy it by hand.");
  }
}
