import { useQuery } from "@tanstack/react-query";
import { CloudOff, Film, Plus, Trash2 } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { toast } from "sonner";
import { ask, http, Refusal, smallImage } from "@/api/client";
import type { ProjectSummary } from "@/api/contracts";
import { queries } from "@/api/queries";
import { ShortcutsDialog } from "@/components/ShortcutsDialog";
import { StudioMenu } from "@/components/StudioMenu";
import { attempt } from "@/components/tell";
import { Blank } from "@/components/ui/Blank";
import { Button, IconButton } from "@/components/ui/Button";
import { Link } from "@/components/ui/Link";
import { Spinner } from "@/components/ui/Spinner";
import { useTitle } from "@/hooks/useRunEnd";
import { useShortcuts } from "@/hooks/useShortcuts";
import { go, newProject, storyboardOf } from "@/router";
import { isActive } from "@/storyboard/board";
import { languageOf } from "@/storyboard/language";
import { wholeFraction } from "@/storyboard/progress";

const KEY = ["projects"];
const PAGE = 60;
const MOST_AT_ONCE = 200; //: that the studio lists in one answer

/** A place in the list that is to get the focus; another object each time, so that the same place can get it again. */
interface FocusOn {
  place: number;
}

export function Projects() {
  const [keysOpen, setKeysOpen] = useState(false);
  const [limit, setLimit] = useState(PAGE);
  const { data, error, isPending, refetch } = useQuery({
    queryKey: [...KEY, limit],
    queryFn: () => read(limit),
    // No socket tells of all projects, so the list looks for itself; more often while something is made.
    refetchInterval: ({ state }) => (state.data?.projects.some(({ run }) => run && isActive(run)) ? 1500 : 6000),
    placeholderData: (before) => before,
  });
  const main = useRef<HTMLElement>(null);
  const [focusOn, setFocusOn] = useState<FocusOn | null>(null);
  useEffect(() => {
    // Each project has one link, and so has the list without any: to make a new one.
    const links = main.current?.querySelectorAll("a");
    if (focusOn && links) links[Math.min(focusOn.place, links.length - 1)]?.focus();
  }, [focusOn]);
  useTitle("VideoGen Studio");
  useShortcuts({ n: () => go(newProject), "?": () => setKeysOpen(true) });

  return (
    <div className="mx-auto max-w-[90rem] px-4 pb-24 sm:px-6 lg:px-8">
      <header className="flex items-center justify-between gap-4 py-6 sm:py-9">
        <h1 className="font-story text-3xl font-medium sm:text-4xl">Projects</h1>
        <div className="flex items-center gap-2">
          <StudioMenu onShortcuts={() => setKeysOpen(true)} />
          <Link href={newProject} className="inline-flex h-10 items-center gap-2 rounded-lg bg-accent px-4 font-medium text-on-accent hover:bg-accent-strong">
            <Plus aria-hidden className="size-4" /> New project
          </Link>
        </div>
      </header>
      <main ref={main}>
        {data ? (
          data.projects.length ? (
            <>
              <ul className="grid grid-cols-[repeat(auto-fill,minmax(min(19rem,100%),1fr))] gap-5">
                {data.projects.map((project, place) => (
                  <Tile key={project.id} project={project} onDelete={() => void remove(project, () => setFocusOn({ place }))} />
                ))}
              </ul>
              {data.total > data.projects.length && (
                <div className="mt-8 text-center">
                  <Button onClick={() => setLimit(limit + PAGE)}>Show more of {data.total.toLocaleString("en")}</Button>
                </div>
              )}
            </>
          ) : (
            <Empty />
          )
        ) : error && !isPending ? (
          <Blank icon={<CloudOff aria-hidden />} title="The studio does not answer" text={error instanceof Refusal && error.status === 0 ? "Nothing is lost. This page tries again by itself." : error.message}>
            <Button kind="primary" onClick={() => void refetch()}>
              Try again
            </Button>
          </Blank>
        ) : (
          <Placeholder />
        )}
      </main>
      <ShortcutsDialog open={keysOpen} onOpenChange={setKeysOpen} />
    </div>
  );
}

async function read(limit: number): Promise<{ projects: ProjectSummary[]; total: number }> {
  const offsets = Array.from({ length: Math.ceil(limit / MOST_AT_ONCE) }, (_, index) => index * MOST_AT_ONCE);
  const answers = await Promise.all(
    offsets.map((offset) => {
      const query = { offset, limit: Math.min(MOST_AT_ONCE, limit - offset) };
      return ask(http.GET("/api/v1/projects", { params: { query } }));
    }),
  );
  // One that is new moves all others by a place: the last of an answer may be the first of the next one, too.
  const projects = new Map(answers.flatMap((answer) => answer.projects.map((project) => [project.id, project])));
  return { projects: [...projects.values()], total: answers[0]?.total ?? 0 };
}

function Empty() {
  return (
    <Blank icon={<Film aria-hidden />} title="Tell a story" text="Paste a script. Each sentence becomes a scene: first a picture, then a moving one.">
      <Link href={newProject} className="inline-flex h-10 items-center gap-2 rounded-lg bg-accent px-4 font-medium text-on-accent hover:bg-accent-strong">
        <Plus aria-hidden className="size-4" /> New project
      </Link>
    </Blank>
  );
}

function Placeholder() {
  return (
    <div aria-busy="true" aria-label="Loading projects" className="grid grid-cols-[repeat(auto-fill,minmax(min(19rem,100%),1fr))] gap-5 motion-safe:animate-[breathe_1.8s_ease-in-out_infinite]">
      {Array.from({ length: 6 }, (_, index) => (
        // oxlint-disable-next-line react/no-array-index-key
        <div key={index} className="h-64 rounded-xl border border-line bg-surface" />
      ))}
    </div>
  );
}

function Tile({ project, onDelete }: { project: ProjectSummary; onDelete: () => void }) {
  const { poster, run, sentences, images, videos } = project;
  const active = run && isActive(run);
  return (
    <li className="group relative flex flex-col overflow-hidden rounded-xl border border-line bg-surface transition-colors hover:border-line-strong/70">
      <div className="relative aspect-video bg-sunken">
        {poster ? (
          <img {...smallImage(poster, "(max-width: 640px) 100vw, 400px")} alt="" loading="lazy" decoding="async" className="size-full object-cover" />
        ) : (
          <span aria-hidden className="flex size-full items-center justify-center text-ink/12">
            <Film className="size-12" />
          </span>
        )}
      </div>
      <div className="flex flex-1 flex-col px-4 pt-3 pb-4">
        <h2 className="pr-8 font-story text-xl leading-snug font-medium">
          {/* The whole tile is the link; what lies over it has its own. */}
          <Link href={storyboardOf(project.id)} lang={languageOf(project.title)} className="line-clamp-2 break-words after:absolute after:inset-0 after:content-[''] focus-visible:outline-none focus-visible:after:rounded-xl focus-visible:after:outline-2 focus-visible:after:-outline-offset-2 focus-visible:after:outline-accent-text">
            {project.title}
          </Link>
        </h2>
        <p className="mt-auto pt-1.5 text-sm text-ink-2 steady">
          {sentences ? `${images}/${sentences} images · ${videos}/${sentences} videos` : "No sentences yet"}
        </p>
        <div className="mt-2.5 flex h-5 items-center gap-2 text-sm">
          {active ? (
            <>
              <Spinner className="text-accent-text" />
              <span className="text-accent-text steady">
                {run.status === "paused" ? "Paused" : run.status === "cancelling" ? "Stopping" : "Generating"} ({run.progress.settled}/{run.progress.total})
              </span>
              <span aria-hidden className="ml-auto h-1.5 w-24 overflow-hidden rounded-full bg-ink/12">
                <span className="block h-full bg-accent" style={{ width: `${wholeFraction(run) * 100}%` }} />
              </span>
            </>
          ) : (
            <Made sentences={sentences} images={images} videos={videos} failed={run?.failed ?? 0} />
          )}
        </div>
      </div>
      <div className="absolute top-2 right-2 opacity-0 transition-opacity group-focus-within:opacity-100 group-hover:opacity-100 pointer-coarse:opacity-100">
        <IconButton small label={`Delete ${project.title}`} className="bg-black/65 text-white hover:bg-black/85 hover:text-white" onClick={onDelete}>
          <Trash2 aria-hidden className="size-4" />
        </IconButton>
      </div>
    </li>
  );
}

function Made({ sentences, images, videos, failed }: { sentences: number; images: number; videos: number; failed: number }) {
  const part = (made: number) => `${sentences ? (made / sentences) * 100 : 0}%`;
  const complete = sentences > 0 && videos === sentences && images === sentences;
  return (
    <>
      <span aria-hidden className="flex flex-1 flex-col gap-1">
        <span className="h-1 overflow-hidden rounded-full bg-ink/12">
          <span className="block h-full bg-image" style={{ width: part(images) }} />
        </span>
        <span className="h-1 overflow-hidden rounded-full bg-ink/12">
          <span className="block h-full bg-video" style={{ width: part(videos) }} />
        </span>
      </span>
      {complete ? <span className="text-ok">Complete</span> : failed > 0 && <span className="text-bad">{failed} failed</span>}
    </>
  );
}

/** `focus`: on what has its place afterwards. */
async function remove(project: ProjectSummary, focus: () => void): Promise<void> {
  const params = { path: { project_id: project.id } };
  const before = document.activeElement;
  if (!(await attempt(ask(http.DELETE("/api/v1/projects/{project_id}", { params }))))) return;
  await queries.invalidateQueries({ queryKey: KEY });
  const { activeElement } = document;
  if (activeElement === before || activeElement === document.body) focus();
  const restore = async () => {
    if (await attempt(ask(http.POST("/api/v1/projects/{project_id}/restore", { params })))) {
      await queries.invalidateQueries({ queryKey: KEY });
      focus();
    }
  };
  toast(`“${project.title}” deleted`, { duration: 12_000, action: { label: "Undo", onClick: () => void restore() } });
}
