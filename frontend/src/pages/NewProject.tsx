import { useQuery } from "@tanstack/react-query";
import { ArrowLeft, FileText, RotateCcw, Upload } from "lucide-react";
import { type DragEvent, useEffect, useRef, useState } from "react";
import { ask, http, Refusal } from "@/api/client";
import { SentenceList } from "@/components/Projects/SentenceList";
import { ProjectSettings, type Settings } from "@/components/ProjectSettings";
import { tellRefusal } from "@/components/tell";
import { Button } from "@/components/ui/Button";
import { classes } from "@/components/ui/classes";
import { Link } from "@/components/ui/Link";
import { Message } from "@/components/ui/Message";
import { useConfig } from "@/hooks/useConfig";
import { useTitle } from "@/hooks/useRunEnd";
import { go, home, storyboardOf } from "@/router";
import { counted } from "@/storyboard/plan";

const TYPING_MS = 250;
const EXAMPLE = `The lighthouse had been dark for eleven years.

Then, one evening in late October, Mara found the door standing open. A lantern burned at the foot of the stairs, and nobody answered when she called.

She climbed. Every step hummed a little, like a string that somebody had just let go. At the top, the great lamp was turning again, slowly, throwing gold across the sea.

Far out, a ship that was not on any chart turned its bow toward the light.`;

export function NewProject() {
  const config = useConfig();
  const [settings, setSettings] = useState<Settings>({
    title: "",
    style: "",
    size: { width: 1280, height: 720, seconds: 4, fps: 24 },
  });
  const [script, setScript] = useState("");
  const [edited, setEdited] = useState<string[] | null>(null); //: null: as the script is split
  const [refusal, setRefusal] = useState<Refusal | null>(null);
  const [saving, setSaving] = useState(false);
  const split = useSplit(script);
  const sentences = edited ?? split.sentences;
  const title = settings.title.trim();
  useTitle("New project · VideoGen Studio");

  const sized = useRef(false);
  useEffect(() => {
    if (config && !sized.current) {
      sized.current = true;
      setSettings((held) => ({ ...held, size: config.size }));
    }
  }, [config]);

  function write(text: string) {
    setScript(text);
    setEdited(null);
    setRefusal(null);
  }

  async function create() {
    if (saving) return;
    setSaving(true);
    setRefusal(null);
    const body = { ...settings, title: title || nameOf(sentences), sentences: [...sentences], script: null };
    try {
      const made = await ask(http.POST("/api/v1/projects", { body }));
      go(storyboardOf(made.project.id));
    } catch (error) {
      if (error instanceof Refusal) setRefusal(error);
      tellRefusal(error);
      setSaving(false);
    }
  }

  const waiting = script.trim() !== "" && split.waiting;
  return (
    <div className="mx-auto max-w-6xl px-4 pb-28 sm:px-6 lg:px-8">
      <header className="py-4 sm:py-6">
        <Link href={home} className="-ml-2 inline-flex h-8 items-center gap-1.5 rounded-lg px-2 text-sm text-ink-2 hover:bg-raised hover:text-ink">
          <ArrowLeft aria-hidden className="size-4" /> Projects
        </Link>
        <h1 className="mt-3 font-story text-3xl font-medium sm:text-4xl">New project</h1>
      </header>
      <main>
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          void create();
        }}
        onKeyDown={(event) => {
          if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) void create();
        }}
      >
        <div className="grid gap-8 lg:grid-cols-2">
          <div className="flex min-w-0 flex-col gap-6">
            <Script script={script} onChange={write} limit={config?.limits.script_characters} />
            <ProjectSettings settings={settings} onChange={(change) => setSettings((held) => ({ ...held, ...change }))} wrong={(field) => refusal?.of(field)} />
          </div>
          <section aria-label="Sentences" className="flex min-w-0 flex-col">
            <div className="mb-1.5 flex h-6 items-center justify-between text-sm text-ink-2">
              <h2 aria-live="polite" className="steady">
                {sentences.length ? counted(sentences.length, "sentence") : "Sentences"}
              </h2>
              {edited && script.trim() && (
                <button type="button" onClick={() => setEdited(null)} className="inline-flex items-center gap-1.5 rounded text-accent-text hover:underline">
                  <RotateCcw aria-hidden className="size-3.5" /> Split the script again
                </button>
              )}
            </div>
            {split.refusal && !edited ? (
              <p role="alert" className="rounded-xl border border-bad/60 bg-bad-soft px-4 py-3 text-sm text-bad">
                <Message text={split.refusal} />
              </p>
            ) : sentences.length ? (
              <SentenceList sentences={sentences} onChange={setEdited} wrong={(index) => refusal?.of(`sentences[${index}]`)} />
            ) : (
              <NoSentences onExample={() => write(EXAMPLE)} />
            )}
          </section>
        </div>
        <div className="fixed inset-x-0 bottom-0 z-20 border-t border-line bg-canvas/95 backdrop-blur-sm">
          <div className="mx-auto flex max-w-6xl items-center justify-end gap-3 px-4 py-3 sm:px-6 lg:px-8">
            <p className="mr-auto hidden truncate text-sm text-ink-2 sm:block">{title || !sentences.length ? "" : `Without a title it is called “${nameOf(sentences)}”.`}</p>
            <Link href={home} className="inline-flex h-10 items-center rounded-lg px-4 font-medium text-ink-2 hover:bg-raised hover:text-ink">
              Cancel
            </Link>
            <Button kind="primary" type="submit" disabled={saving || waiting || (sentences.length === 0 && !title)}>
              Create storyboard
            </Button>
          </div>
        </div>
      </form>
      </main>
    </div>
  );
}

/** What a project is called that was given no title. */
function nameOf(sentences: readonly string[]): string {
  const words = (sentences[0] ?? "Untitled").split(/\s+/).slice(0, 6).join(" ");
  return words.replace(/[.,;:!?…"”’']+$/, "").slice(0, 80) || "Untitled";
}

function useSplit(script: string): { sentences: string[]; waiting: boolean; refusal: string | null } {
  const [settled, setSettled] = useState(script);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(script), script.trim() ? TYPING_MS : 0);
    return () => clearTimeout(timer);
  }, [script]);
  const wanted = settled.trim() !== "";
  const { data, error, isFetching } = useQuery({
    queryKey: ["split", settled],
    queryFn: ({ signal }) => ask(http.POST("/api/v1/split", { body: { script: settled }, signal })),
    enabled: wanted,
    staleTime: Infinity,
    gcTime: 30_000,
    placeholderData: (before) => before,
  });
  if (!script.trim()) return { sentences: [], waiting: false, refusal: null };
  return { sentences: data?.sentences ?? [], waiting: isFetching || settled !== script, refusal: wanted && error ? error.message : null };
}

function NoSentences({ onExample }: { onExample: () => void }) {
  return (
    <div className="flex min-h-64 flex-1 flex-col items-center justify-center rounded-xl border border-dashed border-line-strong/60 px-6 py-10 text-center">
      <FileText aria-hidden className="size-7 text-ink-3" />
      <p className="mt-3 max-w-72 text-ink-2">Each sentence of the script becomes a scene. You see here at once how it splits, and can change it.</p>
      <Button small className="mt-4" onClick={onExample}>
        Try an example
      </Button>
    </div>
  );
}

function Script({ script, onChange, limit }: { script: string; onChange: (text: string) => void; limit: number | undefined }) {
  const [over, setOver] = useState(false);
  const [trouble, setTrouble] = useState<string | null>(null);
  const chooser = useRef<HTMLInputElement>(null);

  async function read(file: File | undefined) {
    if (!file) return;
    setTrouble(null);
    if (limit && file.size > limit * 4) {
      setTrouble(`${file.name} is too large: a script has at most ${limit.toLocaleString("en")} characters.`);
      return;
    }
    try {
      onChange(decode(await file.arrayBuffer()));
    } catch {
      setTrouble(`${file.name} is not a text file.`);
    }
  }

  function drop(event: DragEvent) {
    event.preventDefault();
    setOver(false);
    void read(event.dataTransfer.files[0]);
  }

  return (
    <div>
      <div className="mb-1.5 flex h-6 items-center justify-between text-sm text-ink-2">
        <label htmlFor="script">Script</label>
        <button type="button" onClick={() => chooser.current?.click()} className="inline-flex items-center gap-1.5 rounded text-accent-text hover:underline">
          <Upload aria-hidden className="size-3.5" /> Upload a text file
        </button>
        <input ref={chooser} type="file" accept=".txt,.md,text/plain" aria-label="Text file" className="sr-only" tabIndex={-1} onChange={(event) => void read(event.target.files?.[0])} />
      </div>
      <textarea
        id="script"
        // The page is for nothing else.
        // oxlint-disable-next-line jsx-a11y/no-autofocus
        autoFocus
        value={script}
        onChange={(event) => onChange(event.target.value)}
        onDragOver={(event) => {
          if (!event.dataTransfer.types.includes("Files")) return;
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={drop}
        placeholder="Paste the script here, or drop a text file."
        className={classes("field h-72 resize-y font-story text-lg leading-relaxed", over && "outline-2 outline-accent-text")}
      />
      {trouble && (
        <p role="alert" className="mt-1.5 text-sm text-bad">
          {trouble}
        </p>
      )}
    </div>
  );
}

/** Text of a file: UTF-8, or what Windows writes where it is not. */
function decode(bytes: ArrayBuffer): string {
  const [first, second] = new Uint8Array(bytes.slice(0, 2));
  if (first === 0xff && second === 0xfe) return new TextDecoder("utf-16le").decode(bytes);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    text = new TextDecoder("windows-1252").decode(bytes);
  }
  if (text.includes("\0")) throw new Error("not a text");
  return text;
}
