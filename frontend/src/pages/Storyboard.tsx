import { ArrowLeft, Film, FolderX, Grid2x2, Grid3x3, Pencil, Plus, SearchX } from "lucide-react";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { ask, exportUrl, http } from "@/api/client";
import type { Project, Stage } from "@/api/contracts";
import { SceneActionsContext } from "@/components/Storyboard/actions";
import { AddSentenceDialog } from "@/components/Storyboard/AddSentenceDialog";
import { BulkGenerationToolbar, GENERATE_ID } from "@/components/Storyboard/BulkGenerationToolbar";
import { ErrorSummaryDialog } from "@/components/Storyboard/ErrorSummaryDialog";
import { SceneDialog } from "@/components/Storyboard/SceneDialog";
import { cardElement, type FocusOn, SceneWall } from "@/components/Storyboard/SceneWall";
import { ConnectionBadge, WorkersBadge } from "@/components/Storyboard/StudioBadges";
import { ProjectSettingsDialog } from "@/components/ProjectSettingsDialog";
import { ShortcutsDialog } from "@/components/ShortcutsDialog";
import { StudioMenu } from "@/components/StudioMenu";
import { attempt } from "@/components/tell";
import { Blank } from "@/components/ui/Blank";
import { Button, IconButton } from "@/components/ui/Button";
import { Link } from "@/components/ui/Link";
import { Message } from "@/components/ui/Message";
import { drafts } from "@/hooks/drafts";
import { SyncContext } from "@/hooks/useFraction";
import { useAhead } from "@/hooks/useAhead";
import { useAnnouncements } from "@/hooks/useAnnouncements";
import { usePace } from "@/hooks/usePace";
import { useRunEnd, useTitle } from "@/hooks/useRunEnd";
import { useSceneActionsOn } from "@/hooks/useSceneActions";
import { type SceneGeneration, useSceneGeneration } from "@/hooks/useSceneGeneration";
import { useShortcuts } from "@/hooks/useShortcuts";
import { useWorkers } from "@/hooks/useWorkers";
import { prefer, usePreferences } from "@/preferences";
import { home } from "@/router";
import type { Board, Story } from "@/storyboard/board";
import { cardViewOf } from "@/storyboard/card";
import { failedCount, failureGroups } from "@/storyboard/failures";
import { languageOf } from "@/storyboard/language";
import { workInHand } from "@/storyboard/pace";
import { counted, makePlan } from "@/storyboard/plan";
import { focusRun } from "@/storyboard/progress";

export function Storyboard({ projectId }: { projectId: string }) {
  const generation = useSceneGeneration(projectId);
  const { board } = generation.known;
  if (board) return <Loaded generation={generation} board={board} />;
  if (generation.trouble?.missing) return <Missing projectId={projectId} onRestored={generation.sync.refresh} />;
  return <Loading trouble={generation.trouble?.text ?? null} />;
}

function Loaded({ generation, board }: { generation: SceneGeneration; board: Board }) {
  const { sync, arrangement, presses, known, connection, trouble, clockAhead } = generation;
  const { project, order } = board;
  const { stages, order: runOrder, cards } = usePreferences();
  const workers = useWorkers();
  const [current, setCurrent] = useState<string | null>(null);
  const [focusOn, setFocusOn] = useState<FocusOn | null>(null);
  const [editing, setEditing] = useState<string | null>(null);
  const [openScene, setOpenScene] = useState<string | null>(null);
  const [insertAt, setInsertAt] = useState<number | null>(null);
  const [errorsOpen, setErrorsOpen] = useState(false);
  const [keysOpen, setKeysOpen] = useState(false);
  const [settingsOpen, setSettingsOpen] = useState(false);

  const run = focusRun(board);
  const pace = usePace(board, run, workers);
  const ahead = useAhead(run);
  const { sentences, scenes } = board;
  // A step of a running job changes neither of these, and there are many steps.
  const groups = useMemo(() => failureGroups({ order, sentences, scenes }), [order, sentences, scenes]);
  const plan = useMemo(() => planOf({ order, sentences, scenes }, stages), [order, sentences, scenes, stages]);
  const showErrors = useCallback(() => setErrorsOpen(true), []);
  const stopping = run !== null && known.stopping.has(run.id);
  const starting = run === null && known.pressed !== null && known.pressed.stages.size > 1;
  const { made, edited } = useMemo(() => takesOf({ order, sentences }, stages), [order, sentences, stages]);

  useAnnouncements(board);
  useRunEnd(board, sync, presses, showErrors);
  useTitle(`${run ? `(${run.progress.settled}/${run.progress.total}) ` : ""}${project.title} · VideoGen Studio`);

  const actions = useSceneActionsOn(project.id, sync, arrangement, presses, {
    open: setOpenScene,
    edit: setEditing,
    insert: setInsertAt,
    focus: (id) => setFocusOn({ id }),
  });

  async function generate() {
    const press = { order: runOrder, stages: [...stages], replace: [], sentence_ids: null, vary: false, dry_run: false };
    // What was being written is saved then: its card shows what becomes of it.
    if ((await attempt(presses.generate(press))) && editing && !drafts.has(editing)) setEditing((id) => (id === editing ? null : id));
  }
  function makeAgain(what: "edited" | "all") {
    // What was edited differs by its edit; everything else would come out the same with the same seeds.
    const vary = what === "all";
    const press = (sentence_ids: string[] | null, replace: Stage[]) =>
      attempt(presses.generate({ order: runOrder, stages: [...stages], replace, sentence_ids, vary, dry_run: false }));
    if (what === "all") void press(null, [...stages]);
    else {
      if (edited.images.length) void press(edited.images, ["image"]);
      if (edited.videos.length) void press(edited.videos, ["video"]);
    }
  }
  const cancel = () => run && void attempt(presses.cancel(run.id));
  const pause = (stopRunning: boolean) => run && void attempt(presses.pause(run.id, stopRunning));
  const resume = () => run && void attempt(presses.resume(run.id));
  const hand = () => (run ? workInHand(scenesOf(board), run.id, Date.now() + clockAhead) : 0);

  // The wall gives the focus to its cards, and is not there without any.
  const addFirst = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (focusOn && focusOn.id === null) addFirst.current?.focus();
  }, [focusOn]);

  // Keys press the toolbar's own buttons, so that they ask what these ask and are off when these are.
  const toolbar = useRef<HTMLDivElement>(null);
  const pressButton = (name: RegExp) => {
    const buttons = toolbar.current?.querySelectorAll("button") ?? [];
    [...buttons].find((button) => name.test(button.textContent ?? "") && !button.disabled)?.click();
  };
  useShortcuts({
    "?": () => setKeysOpen(true),
    g: () => document.getElementById(GENERATE_ID)?.click(),
    p: () => pressButton(/^(Pause|Resume)$/),
    c: () => pressButton(/^Cancel$/),
    f: () => groups.length > 0 && setErrorsOpen(true),
    n: () => setInsertAt(order.length + 1),
    d: () => made > 0 && location.assign(exportUrl(project.id)),
    Enter: onCard(actions.open),
    e: onCard(actions.edit),
    r: onCard((id) => actions.makeAgain(id, ["image", "video"], ["image"])),
    v: onCard((id) => actions.makeAgain(id, ["video"], ["video"])),
    x: onCard(actions.stop),
    Delete: onCard(actions.remove),
    Backspace: onCard(actions.remove),
  });

  const view = openScene ? cardViewOf(board, openScene, known.pressed, known.stopping) : null;
  const sentence = openScene ? board.sentences.get(openScene)?.value : undefined;
  // It was deleted elsewhere: nothing is open any more, and cards can be edited again.
  if (openScene && !sentence) {
    setOpenScene(null);
    setEditing(null);
  }

  return (
    <SyncContext.Provider value={sync}>
    <SceneActionsContext.Provider value={actions}>
      <div className="mx-auto max-w-[112rem] px-4 pb-24 sm:px-6 lg:px-8">
        <Head project={project} count={order.length} onSettings={() => setSettingsOpen(true)}>
          <ConnectionBadge connection={connection} />
          <WorkersBadge projectId={project.id} />
          <IconButton
            small
            className="max-sm:hidden"
            label={cards === "large" ? "Smaller cards" : "Larger cards"}
            onClick={() => prefer({ cards: cards === "large" ? "small" : "large" })}
          >
            {cards === "large" ? <Grid3x3 aria-hidden className="size-4.5" /> : <Grid2x2 aria-hidden className="size-4.5" />}
          </IconButton>
          <StudioMenu onShortcuts={() => setKeysOpen(true)} />
        </Head>
        <div ref={toolbar} className="contents">
          <BulkGenerationToolbar
            projectId={project.id}
            run={run}
            starting={starting}
            stopping={stopping}
            plan={plan}
            stages={stages}
            order={runOrder}
            pace={pace}
            workers={workers}
            ahead={ahead}
            failed={failedCount(groups)}
            edited={edited.images.length + edited.videos.length}
            made={made}
            sentences={order.length}
            clockAhead={clockAhead}
            workInHand={hand}
            onGenerate={() => void generate()}
            onCancel={cancel}
            onPause={pause}
            onResume={resume}
            onShowErrors={showErrors}
            onStages={(value) => prefer({ stages: value })}
            onOrder={(value) => prefer({ order: value })}
            onMakeAgain={makeAgain}
          />
        </div>
        {trouble?.missing && <Gone projectId={project.id} onRestored={sync.refresh} />}
        <main className="mt-5">
          {order.length === 0 ? (
            <Blank icon={<Film aria-hidden />} title="An empty storyboard" text="Every sentence becomes a scene: first a picture, then a moving one.">
              <Button ref={addFirst} kind="primary" onClick={() => setInsertAt(1)}>
                <Plus aria-hidden className="size-4" /> Add the first sentence
              </Button>
            </Blank>
          ) : (
            <SceneWall
              board={board}
              pressed={known.pressed}
              stopping={known.stopping}
              editing={openScene ? null : editing}
              current={current}
              onCurrent={setCurrent}
              focusOn={focusOn}
              cards={cards}
            />
          )}
        </main>
      </div>
      <ErrorSummaryDialog
        open={errorsOpen}
        onOpenChange={setErrorsOpen}
        groups={groups}
        size={project.size}
        onRetry={(failed) => void attempt(presses.retry(failed))}
        onOpenScene={(id) => {
          setErrorsOpen(false);
          setOpenScene(id);
        }}
        returnFocus={focusGenerate}
      />
      {openScene && sentence && view && (
        <SceneDialog
          project={project}
          sentence={sentence}
          scene={board.scenes.get(openScene)?.value}
          view={view}
          number={order.indexOf(openScene) + 1}
          count={order.length}
          editing={editing === openScene}
          onStep={(by) => {
            const next = order[order.indexOf(openScene) + by];
            if (!next) return;
            setEditing(null);
            setOpenScene(next);
            setCurrent(next);
          }}
          onClose={() => {
            setEditing(null);
            setOpenScene(null);
          }}
          returnFocus={() => cardElement(openScene) ?? focusGenerate()}
        />
      )}
      {insertAt !== null && (
        <AddSentenceDialog
          projectId={project.id}
          place={insertAt}
          count={order.length}
          onClose={() => setInsertAt(null)}
          onAdded={(id) => {
            setFocusOn({ id });
            sync.refresh();
          }}
        />
      )}
      {settingsOpen && <ProjectSettingsDialog project={project} onClose={() => setSettingsOpen(false)} />}
      <ShortcutsDialog open={keysOpen} onOpenChange={setKeysOpen} />
    </SceneActionsContext.Provider>
    </SyncContext.Provider>
  );
}

function scenesOf(board: Board) {
  return [...board.scenes.values()].map((held) => held.value);
}

/** How many sentences have an image; and which have an image, or only a video, of the `stages` that was made before an edit. */
function takesOf(board: Pick<Board, "order" | "sentences">, stages: readonly Stage[]) {
  let made = 0;
  const edited = { images: [] as string[], videos: [] as string[] };
  for (const id of board.order) {
    const sentence = board.sentences.get(id)?.value;
    if (sentence?.image) made += 1;
    if (sentence?.image_stale && stages.includes("image")) edited.images.push(id);
    else if (sentence?.video_stale && stages.includes("video")) edited.videos.push(id);
  }
  return { made, edited };
}

const focusGenerate = () => document.getElementById(GENERATE_ID);
const onCard = (act: (id: string) => void) => (card: string | null) => card && act(card);

function planOf(board: Story, stages: readonly Stage[]) {
  const sentences = board.order.flatMap((id) => board.sentences.get(id)?.value ?? []);
  return makePlan(sentences, (id) => board.scenes.get(id)?.value, { stages });
}

function Head({ project, count, onSettings, children }: { project: Project; count: number; onSettings: () => void; children: React.ReactNode }) {
  const { width, height, seconds } = project.size;
  return (
    <header className="py-4 sm:py-6">
      <div className="flex items-center justify-between gap-3">
        <Link href={home} className="-ml-2 inline-flex h-8 items-center gap-1.5 rounded-lg px-2 text-sm text-ink-2 hover:bg-raised hover:text-ink">
          <ArrowLeft aria-hidden className="size-4" /> Projects
        </Link>
        <div className="flex items-center gap-0.5">{children}</div>
      </div>
      <div className="mt-3 flex items-start gap-2">
        <h1 lang={languageOf(project.title)} className="font-story text-3xl leading-tight font-medium text-balance break-words sm:text-4xl">{project.title}</h1>
        <IconButton small label="Project settings" onClick={onSettings} className="mt-1.5">
          <Pencil aria-hidden className="size-4" />
        </IconButton>
      </div>
      <p className="mt-1 text-ink-2 steady">
        {counted(count, "sentence")} · {width} × {height} · {seconds} s each
        {project.style && <span> · {project.style}</span>}
      </p>
    </header>
  );
}

function Loading({ trouble }: { trouble: string | null }) {
  return (
    <div className="mx-auto max-w-[112rem] px-4 sm:px-6 lg:px-8" aria-busy="true">
      <div className="py-4 sm:py-6">
        <Link href={home} className="-ml-2 inline-flex h-8 items-center gap-1.5 rounded-lg px-2 text-sm text-ink-2">
          <ArrowLeft aria-hidden className="size-4" /> Projects
        </Link>
        <h1 className="sr-only">Loading the storyboard</h1>
        <div className="mt-4 h-9 w-72 max-w-full rounded-lg bg-surface" />
        <div className="mt-3 h-5 w-56 rounded bg-surface" />
      </div>
      <div className="h-[4.75rem] rounded-xl border border-line bg-surface" />
      {trouble && (
        <p role="alert" className="mt-4 text-ink-2">
          <Message text={trouble} />
        </p>
      )}
      <div aria-hidden className="mt-5 grid grid-cols-[repeat(auto-fill,minmax(300px,1fr))] gap-4 motion-safe:animate-[breathe_1.8s_ease-in-out_infinite]">
        {Array.from({ length: 8 }, (_, index) => (
          // oxlint-disable-next-line react/no-array-index-key
          <div key={index} className="h-76 rounded-xl border border-line bg-surface" />
        ))}
      </div>
    </div>
  );
}

function useRestore(projectId: string, onRestored: () => void) {
  return async () => {
    const params = { path: { project_id: projectId } };
    if (await attempt(ask(http.POST("/api/v1/projects/{project_id}/restore", { params })))) onRestored();
  };
}

function Missing({ projectId, onRestored }: { projectId: string; onRestored: () => void }) {
  const restore = useRestore(projectId, onRestored);
  return (
    <main className="px-4">
      <h1 className="sr-only">No such project</h1>
      <Blank icon={<SearchX aria-hidden />} title="This project is not here" text="It was deleted, or the address is not quite right. A deleted project can be brought back.">
        <Link href={home} className="inline-flex h-10 items-center rounded-lg bg-accent px-4 font-medium text-on-accent hover:bg-accent-strong">
          All projects
        </Link>
        <Button onClick={() => void restore()}>Bring it back</Button>
      </Blank>
    </main>
  );
}

/** It was deleted elsewhere while it is shown here. */
function Gone({ projectId, onRestored }: { projectId: string; onRestored: () => void }) {
  const restore = useRestore(projectId, onRestored);
  return (
    <div role="alert" className="mt-4 flex flex-wrap items-center gap-3 rounded-xl border border-line bg-surface px-4 py-3">
      <FolderX aria-hidden className="size-5 text-ink-3" />
      This project was deleted.
      <Button small onClick={() => void restore()}>
        Bring it back
      </Button>
    </div>
  );
}
