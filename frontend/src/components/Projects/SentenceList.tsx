import { useVirtualizer } from "@tanstack/react-virtual";
import { Merge, Trash2 } from "lucide-react";
import { useLayoutEffect, useRef } from "react";
import { IconButton } from "@/components/ui/Button";
import { classes } from "@/components/ui/classes";
import { Message } from "@/components/ui/Message";

interface Props {
  sentences: readonly string[];
  onChange: (sentences: string[]) => void;
  wrong: (index: number) => string | undefined;
}

/** The sentences of a script before it is saved: each can be changed, joined to the one above, or left out. */
export function SentenceList({ sentences, onChange, wrong }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  const virtualizer = useVirtualizer({
    count: sentences.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => 64,
    overscan: 6,
    initialRect: { width: 500, height: 640 },
  });
  const replace = (start: number, count: number, ...by: string[]) => {
    const next = [...sentences];
    next.splice(start, count, ...by);
    onChange(next);
  };
  return (
    // It scrolls, so the keyboard must be able to get there.
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <div ref={scroller} tabIndex={0} role="group" aria-label="How the script splits" className="h-[min(40rem,70dvh)] overflow-y-auto rounded-xl border border-line bg-surface lg:h-auto lg:min-h-96 lg:flex-1 lg:basis-0">
      <ol className="relative" style={{ height: virtualizer.getTotalSize() }}>
        {virtualizer.getVirtualItems().map(({ index, start, key }) => (
          <li
            key={key}
            ref={virtualizer.measureElement}
            data-index={index}
            aria-setsize={sentences.length}
            aria-posinset={index + 1}
            className="group absolute inset-x-0 top-0 flex items-start gap-2 border-b border-line py-1.5 pr-2 pl-1.5 sm:pl-3"
            style={{ transform: `translateY(${start}px)` }}
          >
            <span aria-hidden className="mt-1.5 w-6 shrink-0 sm:w-8 text-right text-sm text-ink-3 steady">
              {index + 1}
            </span>
            <Row
              number={index + 1}
              text={sentences[index] ?? ""}
              wrong={wrong(index)}
              onChange={(text) => replace(index, 1, text)}
              onSplit={(before, after) => replace(index, 1, before, after)}
            />
            <span className="flex shrink-0 opacity-0 group-focus-within:opacity-100 group-hover:opacity-100 pointer-coarse:opacity-100">
              {index > 0 && (
                <IconButton small label={`Join sentence ${index + 1} to the one above`} onClick={() => replace(index - 1, 2, `${sentences[index - 1]} ${sentences[index]}`)}>
                  <Merge aria-hidden className="size-4" />
                </IconButton>
              )}
              <IconButton small label={`Leave out sentence ${index + 1}`} onClick={() => replace(index, 1)}>
                <Trash2 aria-hidden className="size-4" />
              </IconButton>
            </span>
          </li>
        ))}
      </ol>
    </div>
  );
}

interface RowProps {
  number: number;
  text: string;
  wrong: string | undefined;
  onChange: (text: string) => void;
  onSplit: (before: string, after: string) => void;
}

function Row({ number, text, wrong, onChange, onSplit }: RowProps) {
  const field = useRef<HTMLTextAreaElement>(null);
  useLayoutEffect(() => {
    const { current } = field;
    if (!current) return;
    current.style.height = "0";
    current.style.height = `${current.scrollHeight}px`;
  }, [text]);
  return (
    <span className="min-w-0 flex-1">
      <textarea
        ref={field}
        rows={1}
        value={text}
        aria-label={`Sentence ${number}`}
        aria-invalid={Boolean(wrong)}
        title="Enter splits it in two"
        onChange={(event) => onChange(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== "Enter" || event.ctrlKey || event.metaKey) return;
          event.preventDefault();
          const at = event.currentTarget.selectionStart;
          const [before, after] = [text.slice(0, at).trim(), text.slice(at).trim()];
          if (before && after) onSplit(before, after);
        }}
        className={classes("block w-full resize-none overflow-hidden rounded bg-transparent px-1.5 py-1 font-story text-[1.0625rem] leading-snug text-ink", wrong && "text-bad")}
      />
      {wrong && (
        <span role="alert" className="block px-1.5 pb-1 text-sm text-bad">
          <Message text={wrong} />
        </span>
      )}
    </span>
  );
}
