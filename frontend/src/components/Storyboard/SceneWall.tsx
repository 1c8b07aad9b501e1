import { defaultRangeExtractor, useWindowVirtualizer } from "@tanstack/react-virtual";
import { Plus } from "lucide-react";
import { type DragEvent, type KeyboardEvent, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import type { Board, Pressed } from "@/storyboard/board";
import { cardViewOf } from "@/storyboard/card";
import { useSceneActions } from "./actions";
import { SceneCard } from "./SceneCard";

const GAP = 16;
const BELOW_MEDIA = 124; //: text and status of a card
const WIDTHS = { large: 300, small: 210 };
const TALLEST = 420;

/** A card that is to get the focus; another object each time, so that the same card can get it again. */
export interface FocusOn {
  id: string | null; //: null: no card is left
}

interface Props {
  board: Board;
  pressed: Pressed | null;
  stopping: ReadonlySet<string>;
  editing: string | null;
  current: string | null;
  onCurrent: (id: string) => void;
  focusOn: FocusOn | null;
  cards: "large" | "small";
}

/** All scenes in story order, as many beside each other as there is room. Only those in sight are in the page. */
export function SceneWall({ board, pressed, stopping, editing, current, onCurrent, focusOn, cards }: Props) {
  const actions = useSceneActions();
  const list = useRef<HTMLUListElement>(null);
  const { width, top } = usePlace(list);
  const { order } = board;
  const shape = useMemo(() => layout(width, board.project.size, WIDTHS[cards]), [width, board.project.size, cards]);
  const { columns, cardWidth, mediaHeight, rowHeight } = shape;
  const currentIndex = Math.max(0, current ? order.indexOf(current) : 0);
  const currentRow = Math.floor(currentIndex / columns);
  const editingRow = editing ? Math.floor(order.indexOf(editing) / columns) : -1;
  const virtualizer = useWindowVirtualizer({
    count: Math.ceil((order.length + 1) / columns),
    estimateSize: () => rowHeight,
    overscan: 2,
    scrollMargin: top,
    // What has the focus, or is being written, must not vanish because it is scrolled away.
    rangeExtractor: (range) => {
      const kept = [currentRow, editingRow].filter((row) => row >= 0 && row < range.count);
      return [...new Set([...defaultRangeExtractor(range), ...kept])].sort((a, b) => a - b);
    },
    initialRect: { width: 1280, height: typeof innerHeight === "number" ? innerHeight : 800 },
  });
  useLayoutEffect(() => virtualizer.measure(), [virtualizer, rowHeight, columns]);

  const focusCard = useCallback(
    (index: number) => {
      const id = order[index];
      if (!id) return;
      onCurrent(id);
      virtualizer.scrollToIndex(Math.floor(index / columns), { align: "auto" });
      // Its row may have to be drawn first.
      requestAnimationFrame(() => requestAnimationFrame(() => cardElement(id)?.focus({ preventScroll: true })));
    },
    [order, onCurrent, virtualizer, columns],
  );

  const given = useRef<FocusOn | null>(null);
  useEffect(() => {
    // One that was just added or brought back is not in the story yet, and gets the focus once it is.
    const index = focusOn?.id && focusOn !== given.current ? order.indexOf(focusOn.id) : -1;
    if (index < 0) return;
    given.current = focusOn;
    focusCard(index);
  }, [focusOn, order, focusCard]);

  function onKeyDown(event: KeyboardEvent) {
    if (!(event.target instanceof HTMLElement) || event.target.tagName !== "ARTICLE") return;
    const id = event.target.dataset.sentence;
    const index = id ? order.indexOf(id) : -1;
    if (index < 0) return;
    const step = stepOf(event.key, columns, index, order.length);
    if (step === null || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    if (event.shiftKey) {
      if (step !== 0) {
        actions.move(order[index]!, Math.min(order.length, Math.max(1, index + step + 1)));
      }
      return;
    }
    focusCard(Math.min(order.length - 1, Math.max(0, index + step)));
  }

  const drop = useDropPlace(order, actions.move);
  const rows = width ? virtualizer.getVirtualItems() : [];
  return (
    <ul
      ref={list}
      aria-label="Scenes"
      className="relative"
      style={{ height: virtualizer.getTotalSize() || rowHeight }}
      onKeyDown={onKeyDown}
      onDragOver={drop.over}
      onDragLeave={drop.leave}
      onDrop={drop.drop}
    >
      {rows.flatMap((row) =>
        Array.from({ length: columns }, (_, column) => {
          const index = row.index * columns + column;
          if (index > order.length) return null;
          const place = {
            width: cardWidth,
            height: rowHeight - GAP,
            transform: `translate(${column * (cardWidth + GAP)}px, ${row.start - top}px)`,
          };
          if (index === order.length) return <AddTile key="add" index={index} place={place} onAdd={() => actions.insert(order.length + 1)} />;
          const id = order[index]!;
          const sentence = board.sentences.get(id)?.value;
          const view = cardViewOf(board, id, pressed, stopping);
          if (!sentence || !view) return null;
          return (
            <li
              key={id}
              aria-setsize={order.length}
              aria-posinset={index + 1}
              data-index={index}
              className="absolute top-0 left-0"
              style={place}
              onFocus={() => onCurrent(id)}
            >
              {drop.before === index && <DropLine side="left" />}
              {drop.before === index + 1 && (column === columns - 1 || index === order.length - 1) && <DropLine side="right" />}
              <SceneCard
                sentence={sentence}
                number={index + 1}
                count={order.length}
                sceneId={board.scenes.get(id)?.value.id ?? null}
                view={view}
                failure={board.scenes.get(id)?.value.failure ?? null}
                editing={editing === id}
                current={index === currentIndex}
                mediaHeight={mediaHeight}
              />
            </li>
          );
        }),
      )}
    </ul>
  );
}

export function cardElement(id: string): HTMLElement | null {
  return document.querySelector(`article[data-sentence="${CSS.escape(id)}"]`);
}

function DropLine({ side }: { side: "left" | "right" }) {
  const at = side === "left" ? "-left-2.5" : "-right-2.5";
  return <span aria-hidden data-testid="drop-line" className={`absolute inset-y-1 ${at} w-1 rounded-full bg-accent`} />;
}

/** Also the place after the last card, for one that is dragged there. */
function AddTile({ index, place, onAdd }: { index: number; place: object; onAdd: () => void }) {
  return (
    <li data-index={index} className="absolute top-0 left-0" style={place}>
      <button
        type="button"
        onClick={onAdd}
        className="flex size-full flex-col items-center justify-center gap-2 rounded-xl border border-dashed border-line-strong/60 text-ink-2 transition-colors hover:border-line-strong hover:bg-surface hover:text-ink"
      >
        <Plus aria-hidden className="size-6" />
        Add sentence
      </button>
    </li>
  );
}

export function layout(width: number, size: { width: number; height: number }, smallest: number) {
  const upright = size.height > size.width;
  const least = upright ? smallest * 0.7 : smallest;
  const columns = Math.max(1, Math.floor((width + GAP) / (least + GAP)));
  const cardWidth = Math.max(0, (width - GAP * (columns - 1)) / columns);
  const mediaHeight = Math.round(Math.min(TALLEST, (cardWidth * size.height) / size.width));
  return { columns, cardWidth, mediaHeight, rowHeight: mediaHeight + BELOW_MEDIA + GAP };
}

/** How far a key goes from one card to another; null for any other key. */
export function stepOf(key: string, columns: number, index: number, count: number): number | null {
  switch (key) {
    case "ArrowRight":
      return 1;
    case "ArrowLeft":
      return -1;
    case "ArrowDown":
      return columns;
    case "ArrowUp":
      return -columns;
    case "Home":
      return -index;
    case "End":
      return count - 1 - index;
    case "PageDown":
      return columns * 3;
    case "PageUp":
      return -columns * 3;
    default:
      return null;
  }
}

function usePlace(element: React.RefObject<HTMLElement | null>) {
  const [place, setPlace] = useState({ width: 0, top: 0 });
  useLayoutEffect(() => {
    const { current } = element;
    if (!current) return;
    const measure = () => {
      const box = current.getBoundingClientRect();
      const next = { width: Math.floor(box.width), top: Math.round(box.top + scrollY) };
      setPlace((held) => (held.width === next.width && held.top === next.top ? held : next));
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(current);
    observer.observe(document.body);
    return () => observer.disconnect();
  }, [element]);
  return place;
}

/** Where a dragged card would land: before the card with this index. */
function useDropPlace(order: readonly string[], move: (id: string, place: number) => void) {
  const [before, setBefore] = useState<number | null>(null);
  useEffect(() => {
    const end = () => setBefore(null);
    addEventListener("dragend", end);
    return () => removeEventListener("dragend", end);
  }, []);
  function over(event: DragEvent<HTMLElement>) {
    if (!event.dataTransfer.types.includes("application/x-sentence")) return;
    const card = (event.target as HTMLElement).closest<HTMLElement>("li[data-index]");
    // Between the cards it is the place of the last one, where the line is.
    if (!card && before === null) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "move";
    if (!card) return;
    const box = card.getBoundingClientRect();
    const place = Number(card.dataset.index) + (event.clientX > box.left + box.width / 2 ? 1 : 0);
    setBefore(Math.min(place, order.length));
  }
  function drop(event: DragEvent<HTMLElement>) {
    const id = event.dataTransfer.getData("application/x-sentence");
    if (before === null || !id) return;
    event.preventDefault();
    const from = order.indexOf(id);
    const place = before > from ? before : before + 1;
    setBefore(null);
    if (from >= 0 && place !== from + 1) move(id, place);
  }
  const leave = (event: DragEvent<HTMLElement>) => {
    if (!event.currentTarget.contains(event.relatedTarget as Node | null)) setBefore(null);
  };
  return { before, over, drop, leave };
}
