import { useQuery } from "@tanstack/react-query";
import { ChevronLeft, ChevronRight, Clapperboard, Film, Image, Lock, LockOpen, PencilLine, RotateCcw } from "lucide-react";
import { type KeyboardEvent, useState } from "react";
import { ask, fileUrl, http, smallImage } from "@/api/client";
import type { Project, Scene, Sentence, Take } from "@/api/contracts";
import { queries } from "@/api/queries";
import { attempt } from "@/components/tell";
import { Bar } from "@/components/ui/Bar";
import { Button, IconButton } from "@/components/ui/Button";
import { classes } from "@/components/ui/classes";
import { Message } from "@/components/ui/Message";
import { Modal } from "@/components/ui/Modal";
import { preferences } from "@/preferences";
import { useFraction } from "@/hooks/useFraction";
import { usePreview } from "@/hooks/usePreview";
import { type CardView, withFraction } from "@/storyboard/card";
import { smallerText } from "@/storyboard/failures";
import { languageOf } from "@/storyboard/language";
import { useSceneActions } from "./actions";
import { SceneEditor } from "./SceneEditor";
import { ScenePreview } from "./ScenePreview";
import { SceneStatus } from "./SceneStatus";

interface Props {
  project: Project;
  sentence: Sentence;
  scene: Scene | undefined;
  view: CardView;
  number: number;
  count: number;
  editing: boolean;
  onStep: (by: 1 | -1) => void;
  onClose: () => void;
  returnFocus: () => HTMLElement | null | undefined;
}

/** One scene as large as the window allows, with its words and every take of it. */
export function SceneDialog(props: Props) {
  const { project, sentence, scene, view: rest, number, count, editing, onStep, onClose, returnFocus } = props;
  const actions = useSceneActions();
  const view = withFraction(rest, useFraction(scene?.id ?? null));

  function onKeyDown(event: KeyboardEvent) {
    const writing = event.target instanceof Element && event.target.closest("textarea, input");
    if (writing || event.ctrlKey || event.metaKey || event.altKey || !preferences().shortcuts) return;
    const key = event.key.toLowerCase();
    if (key === "j") onStep(1);
    else if (key === "k") onStep(-1);
    else if (key === "e") actions.edit(sentence.id);
    else return;
    event.preventDefault();
  }

  return (
    <Modal
      open
      onOpenChange={(open) => !open && onClose()}
      wide
      title={`Scene ${number} of ${count}`}
      returnFocus={returnFocus}
      onKeyDown={onKeyDown}
      titleExtra={
        <span className="flex gap-1">
          <IconButton small label="Previous scene" keys="K" disabled={number === 1} onClick={() => onStep(-1)}>
            <ChevronLeft aria-hidden className="size-5" />
          </IconButton>
          <IconButton small label="Next scene" keys="J" disabled={number === count} onClick={() => onStep(1)}>
            <ChevronRight aria-hidden className="size-5" />
          </IconButton>
        </span>
      }
    >
      <div className="grid gap-6 md:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]">
        <div>
          <Stage project={project} sentence={sentence} scene={scene} view={view} number={number} />
          {view.state === "failed" && scene?.failure && (
            <div className="mt-3 flex items-center gap-3 rounded-lg bg-bad-soft px-3 py-2.5 text-sm text-bad">
              <p className="flex-1">
                <Message text={scene.failure.message} />
              </p>
              <Button small onClick={() => actions.retry(sentence.id)}>
                <RotateCcw aria-hidden className="size-4" /> Retry {smallerText([{ sentence, scene, failure: scene.failure }], project.size)}
              </Button>
            </div>
          )}
        </div>
        <div className="flex min-w-0 flex-col gap-5">
          {editing ? (
            <div className="-m-3 h-80">
              <SceneEditor key={sentence.id} sentence={sentence} number={number} />
            </div>
          ) : (
            <Words sentence={sentence} onEdit={() => actions.edit(sentence.id)} />
          )}
          <Making sentence={sentence} view={view} />
        </div>
      </div>
      <Takes project={project} sentence={sentence} />
    </Modal>
  );
}

function Stage({ project, sentence, scene, view, number }: Pick<Props, "project" | "sentence" | "scene" | "view" | "number">) {
  const { image, video } = sentence;
  const [broken, setBroken] = useState<string | null>(null);
  const active = view.state === "running" || view.state === "stopping";
  const sceneId = scene?.id ?? null;
  const [preview, onLoaded] = usePreview(sceneId, image?.key);
  return (
    <div
      className="relative mx-auto max-h-[56dvh] w-full overflow-hidden rounded-xl bg-sunken"
      style={{ aspectRatio: `${project.size.width} / ${project.size.height}`, maxWidth: `calc(56dvh * ${project.size.width / project.size.height})` }}
    >
      {preview && <ScenePreview picture={preview.picture} sceneId={sceneId} />}
      {preview?.running ? null : video && broken !== video.key ? (
        // Made from still pictures: there is nothing to hear.
        // oxlint-disable-next-line jsx-a11y/media-has-caption
        <video
          key={video.key}
          src={fileUrl(video)}
          poster={image ? fileUrl(image) : undefined}
          controls
          preload="auto"
          loop
          muted
          autoPlay={!matchMedia("(prefers-reduced-motion: reduce)").matches}
          playsInline
          onError={() => setBroken(video.key)}
          onLoadedData={onLoaded}
          aria-label={`Video of scene ${number}`}
          className="relative size-full object-contain"
        />
      ) : image ? (
        <img src={fileUrl(image)} alt={sentence.text} onLoad={onLoaded} className="relative size-full object-contain" />
      ) : (
        <span
          aria-hidden
          data-number={number}
          className="flex size-full items-center justify-center font-story text-8xl text-ink/10 steady before:content-[attr(data-number)]"
        />
      )}
      {active && (
        <span className="absolute inset-x-4 top-4">
          <Bar label={view.text} value={view.fraction} tone={view.stage ?? "accent"} onPicture />
        </span>
      )}
    </div>
  );
}

function Words({ sentence, onEdit }: { sentence: Sentence; onEdit: () => void }) {
  return (
    <div>
      <p lang={languageOf(sentence.text)} className="font-story text-xl leading-snug break-words">
        {sentence.text}
      </p>
      {sentence.prompt && (
        <p className="mt-3 text-sm break-words text-ink-2">
          <span className="block text-xs text-ink-3">Picture prompt</span>
          <span lang={languageOf(sentence.prompt)}>{sentence.prompt}</span>
        </p>
      )}
      <Button small kind="quiet" className="mt-2 -ml-3" onClick={onEdit}>
        <PencilLine aria-hidden className="size-4" /> Edit text and prompt
      </Button>
    </div>
  );
}

const OPEN = new Set(["starting", "waiting", "queued", "running", "stopping"]);

function Making({ sentence, view }: { sentence: Sentence; view: CardView }) {
  const actions = useSceneActions();
  const { id, image, video } = sentence;
  const busy = OPEN.has(view.state);
  return (
    <div className="border-t border-line pt-4">
      <div className="mb-3 flex h-8 items-center justify-between gap-3">
        <SceneStatus view={view} sentence={sentence} />
        {busy && (
          <Button small disabled={view.state === "stopping" || view.state === "starting"} onClick={() => actions.stop(id)}>
            Cancel this scene
          </Button>
        )}
      </div>
      <div className="flex flex-wrap gap-2">
        <Button small disabled={busy} onClick={() => actions.makeAgain(id, ["image", "video"], ["image"])}>
          <Clapperboard aria-hidden className="size-4" /> {image ? "New image and video" : "Make image and video"}
        </Button>
        <Button small disabled={busy} onClick={() => actions.makeAgain(id, ["image"], ["image"])}>
          <Image aria-hidden className="size-4" /> {image ? "New image" : "Make image"}
        </Button>
        <Button small disabled={busy || !image} onClick={() => actions.makeAgain(id, ["video"], ["video"])}>
          <Film aria-hidden className="size-4" /> {video ? "New video" : "Make video"}
        </Button>
      </div>
      <Seed sentence={sentence} />
    </div>
  );
}

/** The number that a picture grows from: kept, or another one for each new picture. */
function Seed({ sentence }: { sentence: Sentence }) {
  const actions = useSceneActions();
  const { id, seed, seed_locked: locked } = sentence;
  const Icon = locked ? Lock : LockOpen;
  return (
    <div className="mt-3 flex items-center gap-2 text-sm text-ink-2">
      <Button
        small
        kind="quiet"
        role="switch"
        aria-checked={locked}
        aria-label="Keep this seed"
        className="-ml-3 gap-1.5"
        onClick={() => actions.lockSeed(id, !locked)}
      >
        <Icon aria-hidden className={classes("size-4", locked && "text-accent-text")} /> Seed <span className="select-text steady">{seed}</span>
      </Button>
      <span className="text-ink-3">{locked ? "Kept" : "New for each take"}</span>
    </div>
  );
}

function Takes({ project, sentence }: { project: Project; sentence: Sentence }) {
  const { id, image_takes, video_takes } = sentence;
  const path = { project_id: project.id, sentence_id: id };
  const { data } = useQuery({
    // Anew when there are more of them, and when another is chosen.
    queryKey: ["takes", id, image_takes, video_takes, sentence.version],
    queryFn: () => ask(http.GET("/api/v1/projects/{project_id}/sentences/{sentence_id}/takes", { params: { path } })),
    enabled: image_takes + video_takes > 0,
    placeholderData: (before, query) => (query?.queryKey[1] === id ? before : undefined),
  });
  if (image_takes + video_takes === 0) return null;
  const takes = data?.takes ?? [];

  async function choose(take: Take) {
    const params = { path: { ...path, take_id: take.id } };
    await attempt(ask(http.POST("/api/v1/projects/{project_id}/sentences/{sentence_id}/takes/{take_id}/select", { params })));
    await queries.invalidateQueries({ queryKey: ["takes", id] });
  }

  return (
    <div className="mt-6 flex flex-col gap-4 border-t border-line pt-5">
      <Strip title="Images" takes={takes.filter((take) => take.stage === "image")} count={image_takes} project={project} onChoose={choose} />
      <Strip title="Videos" takes={takes.filter((take) => take.stage === "video")} count={video_takes} project={project} onChoose={choose} poster={sentence.image ? fileUrl(sentence.image) : undefined} />
    </div>
  );
}

interface StripProps {
  title: string;
  takes: Take[];
  count: number;
  project: Project;
  poster?: string | undefined;
  onChoose: (take: Take) => Promise<void>;
}

function Strip({ title, takes, count, project, poster, onChoose }: StripProps) {
  if (!count) return null;
  return (
    <section aria-label={`${title}: takes`}>
      <h3 className="mb-2 text-sm font-medium">
        {title} <span className="font-normal text-ink-3 steady">{count}</span>
      </h3>
      <ul className="flex min-h-20 gap-3 overflow-x-auto p-1">
        {takes.map((take, index) => (
          <li key={take.id} className="shrink-0">
            <button
              type="button"
              aria-pressed={take.selected}
              aria-label={`${title.slice(0, -1)} ${takes.length - index}${take.stale ? ", made before an edit" : ""}`}
              onClick={() => void onChoose(take)}
              className={classes(
                "relative block h-20 overflow-hidden rounded-lg bg-sunken outline-offset-2",
                take.selected ? "outline-2 outline-accent-text" : "opacity-80 hover:opacity-100",
              )}
              style={{ aspectRatio: `${project.size.width} / ${project.size.height}` }}
            >
              {take.stage === "image" ? (
                <img {...smallImage(take.artifact, "142px")} alt="" loading="lazy" className="size-full object-cover" />
              ) : (
                <Preview src={fileUrl(take.artifact)} poster={poster} />
              )}
              {take.stale && <span className="absolute inset-x-0 bottom-0 bg-info-soft/95 px-1 text-xs text-info">Before an edit</span>}
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** A video that plays while it is pointed at. */
function Preview({ src, poster }: { src: string; poster: string | undefined }) {
  return (
    <video
      src={src}
      poster={poster}
      muted
      loop
      playsInline
      preload="metadata"
      aria-hidden
      tabIndex={-1}
      className="size-full object-cover"
      onMouseEnter={(event) => void event.currentTarget.play().catch(() => {})}
      onMouseLeave={(event) => event.currentTarget.pause()}
    />
  );
}
