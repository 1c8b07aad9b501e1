import { ChevronDown, CircleAlert, Download, Info, Pause, PencilLine, Play, RotateCcw, Square, TriangleAlert } from "lucide-react";
import { type ReactNode, useState } from "react";
import { exportUrl } from "@/api/client";
import type { Order, Run, Stage, Worker } from "@/api/contracts";
import { Bar } from "@/components/ui/Bar";
import { Button, ButtonLink } from "@/components/ui/Button";
import { classes } from "@/components/ui/classes";
import { Confirm } from "@/components/ui/Confirm";
import { Hint } from "@/components/ui/Hint";
import { Menu, MenuChoice, MenuContent, MenuItem, MenuLabel, MenuLine, MenuRadios, MenuTrigger } from "@/components/ui/Menu";
import { Message } from "@/components/ui/Message";
import { Spinner } from "@/components/ui/Spinner";
import { useNow } from "@/hooks/useNow";
import { isActive } from "@/storyboard/board";
import { about, clock, type Pace, secondsFor, secondsLeft } from "@/storyboard/pace";
import { counted, type Plan, planText } from "@/storyboard/plan";
import { backlogText, buttonText, runningOf, settledOf } from "@/storyboard/progress";
import { loadingWorkers, missingWorkers } from "@/storyboard/workers";

export const GENERATE_ID = "generate";
const LOSS_WORTH_ASKING_S = 60;

export interface ToolbarProps {
  projectId: string;
  run: Run | null; //: the one that is going on
  starting: boolean; //: pressed, not yet answered
  stopping: boolean; //: cancel pressed, not yet answered
  plan: Plan;
  stages: readonly Stage[];
  order: Order;
  pace: Pace;
  workers: readonly Worker[] | null; //: null while that is not known
  ahead: number; //: jobs of others that stand in front
  failed: number;
  edited: number; //: scenes whose image or video was made before an edit
  made: number; //: scenes that have an image
  sentences: number;
  clockAhead: number;
  workInHand: () => number; //: seconds that a cancel would throw away
  onGenerate: () => void;
  onCancel: () => void;
  onPause: (stopRunning: boolean) => void;
  onResume: () => void;
  onShowErrors: () => void;
  onStages: (stages: readonly Stage[]) => void;
  onOrder: (order: Order) => void;
  onMakeAgain: (what: "edited" | "all") => void;
}

export function BulkGenerationToolbar(props: ToolbarProps) {
  const { run, starting, failed } = props;
  const going = run !== null || starting;
  return (
    <section
      aria-label="Generation"
      className="z-30 -mx-4 border-y border-line bg-canvas/95 px-4 py-3 backdrop-blur-sm sm:sticky sm:top-0 sm:mx-0 sm:rounded-xl sm:border sm:bg-surface/95 sm:px-4 sm:py-3 sm:shadow-pop"
    >
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2.5 sm:gap-x-5 lg:flex-nowrap">
        <div className="flex w-full flex-wrap items-center gap-2 sm:w-auto">
          <GenerateButton {...props} />
          {run && <Controls {...props} run={run} />}
        </div>
        <div className={classes("flex h-12 min-w-0 flex-1 flex-col justify-center sm:basis-64", going ? "basis-full" : "basis-40")}>
          {going ? run && <Stages run={run} /> : <PlanLine {...props} />}
          <StatusLine {...props} />
        </div>
        <div className="ml-auto flex items-center gap-1.5">
          {failed > 0 && (
            <Button kind="failed" className="px-3" onClick={props.onShowErrors}>
              <CircleAlert aria-hidden className="size-4" />
              <span className="steady">{failed.toLocaleString("en")} failed</span>
            </Button>
          )}
          <span className={classes("flex", going && "max-sm:hidden")}>
            <DownloadLink {...props} />
          </span>
        </div>
      </div>
      <NoticeLine {...props} />
    </section>
  );
}

function GenerateButton(props: ToolbarProps) {
  const { run, starting, stopping, plan, onGenerate } = props;
  const going = run !== null || starting;
  const nothing = plan.stages.size === 0;
  return (
    <div className="flex w-full min-w-0 sm:w-auto">
      {/* Stays the same element while it runs, so that the focus is not lost with the press. */}
      <Button
        id={GENERATE_ID}
        kind={going ? "busy" : "primary"}
        aria-disabled={going || nothing}
        onClick={() => !going && !nothing && onGenerate()}
        className={classes("min-w-56 flex-1 steady sm:flex-none", !going && "rounded-r-none")}
      >
        {going ? <Spinner className={run?.status === "paused" ? "motion-safe:animate-none" : undefined} /> : <Play aria-hidden className="size-4 fill-current" />}
        {starting && !run ? "Generating..." : buttonText(run, stopping)}
      </Button>
      {!going && <Options {...props} />}
    </div>
  );
}

function Options({ plan, stages, order, edited, made, onStages, onOrder, onMakeAgain }: ToolbarProps) {
  return (
    <Menu>
      <MenuTrigger asChild>
        <Button
          kind={plan.stages.size ? "primary" : "plain"}
          aria-label="What to generate, and in which order"
          className={classes("rounded-l-none px-2.5", plan.stages.size > 0 && "border-l border-on-accent/20")}
        >
          <ChevronDown aria-hidden className="size-4" />
        </Button>
      </MenuTrigger>
      <MenuContent align="start">
        <MenuLabel>What to make</MenuLabel>
        <MenuRadios value={stages.join("+")} onValueChange={(value) => onStages(value.split("+") as Stage[])}>
          <MenuChoice value="image+video" title="Images and videos" text="An image for every sentence that lacks one, then a video from each." />
          <MenuChoice value="image" title="Images only" text="Look at them first; the videos can follow later." />
        </MenuRadios>
        <MenuLine />
        <MenuLabel>In which order</MenuLabel>
        <MenuRadios value={order} onValueChange={(value) => onOrder(value as Order)}>
          <MenuChoice value="images_first" title="All images, then all videos" text="You see the whole story early." />
          <MenuChoice value="per_scene" title="Scene by scene" text="A video starts as soon as its image is there. Faster with two GPUs." />
        </MenuRadios>
        {made > 0 && (
          <>
            <MenuLine />
            <MenuLabel>Make again</MenuLabel>
            <MenuItem disabled={edited === 0} onSelect={() => onMakeAgain("edited")}>
              <PencilLine aria-hidden /> {edited ? `What was edited since (${edited.toLocaleString("en")})` : "What was edited since"}
            </MenuItem>
            <MenuItem onSelect={() => onMakeAgain("all")}>
              <RotateCcw aria-hidden /> Everything
            </MenuItem>
          </>
        )}
      </MenuContent>
    </Menu>
  );
}

function Controls({ run, stopping, workInHand, onCancel, onPause, onResume }: ToolbarProps & { run: Run }) {
  const [asking, setAsking] = useState(0);
  const ending = stopping || run.status === "cancelling";
  const paused = run.status === "paused";
  return (
    <>
      {paused ? (
        <Button disabled={ending} onClick={onResume} className="max-sm:flex-1">
          <Play aria-hidden className="size-4" /> Resume
        </Button>
      ) : (
        <Button disabled={ending} onClick={() => onPause(false)} className="max-sm:flex-1">
          <Pause aria-hidden className="size-4" /> Pause
        </Button>
      )}
      {paused && runningOf(run) > 0 && (
        <Hint text="Stop what is being made now, and give the GPU back at once">
          <Button onClick={() => onPause(true)}>Stop it now</Button>
        </Hint>
      )}
      <Button
        disabled={ending}
        className="max-sm:flex-1"
        onClick={() => {
          const loss = workInHand();
          if (loss > LOSS_WORTH_ASKING_S) setAsking(loss);
          else onCancel();
        }}
      >
        <Square aria-hidden className="size-3.5 fill-current" /> Cancel
      </Button>
      <Confirm
        open={asking > 0}
        onOpenChange={(open) => !open && setAsking(0)}
        title="Stop generating?"
        text={`What is being made right now has taken ${about(asking).replace("about ", "")} and would be lost. Everything that is finished stays.`}
        yes="Stop generating"
        no="Go on"
        onYes={onCancel}
      />
    </>
  );
}

function PlanLine({ plan, stages, pace, sentences }: ToolbarProps) {
  const text = planText(plan);
  const seconds = text ? secondsFor(plan, pace) : null;
  if (text) {
    return (
      <p className="truncate font-medium">
        <span className="steady">{text}</span>
        {seconds !== null && <span className="font-normal text-ink-2"> · {about(seconds)}</span>}
      </p>
    );
  }
  return <p className="truncate font-medium">{nothingText(plan, stages, sentences)}</p>;
}

function nothingText(plan: Plan, stages: readonly Stage[], sentences: number): string {
  if (!sentences) return "No sentences yet";
  if (plan.busy) return "Everything left is being made";
  return stages.includes("video") ? "Every scene has its image and video" : "Every scene has its image";
}

function Stages({ run }: { run: Run }) {
  return (
    <div className="flex gap-5">
      {run.images.total > 0 && <StageBar label="Images" tone="image" count={run.images} />}
      {run.videos.total > 0 && <StageBar label="Videos" tone="video" count={run.videos} />}
    </div>
  );
}

function StageBar({ label, tone, count }: { label: string; tone: "image" | "video"; count: Run["images"] }) {
  const settled = settledOf(count);
  return (
    <div className="min-w-0 flex-1">
      <div className="mb-1 flex justify-between text-sm leading-4.5">
        <span className="text-ink-2">{label}</span>
        <span className="steady">
          {settled}/{count.total}
        </span>
      </div>
      <Bar label={label} tone={tone} value={settled / count.total} failed={count.failed / count.total} text={`${settled} of ${count.total}`} />
    </div>
  );
}

function StatusLine(props: ToolbarProps) {
  const { run, starting } = props;
  if (run) return <RunLine {...props} run={run} />;
  const text = starting ? "Starting..." : howText(props);
  return text ? <p className="mt-0.5 truncate text-sm leading-5 text-ink-2">{text}</p> : null;
}

function howText({ plan, stages, order, edited }: ToolbarProps): string {
  if (!plan.stages.size) return edited ? `${counted(edited, "scene")} edited since: make them again from the menu beside the button` : "";
  if (!stages.includes("video")) return "Images only";
  if (!plan.images) return "";
  return order === "per_scene" ? "Scene by scene" : "All images first, then the videos";
}

function RunLine({ run, pace, ahead, clockAhead, stopping }: ToolbarProps & { run: Run }) {
  const now = useNow(1000, isActive(run)) + clockAhead;
  const ending = stopping || run.status === "cancelling";
  const left = run.status === "running" && !ending ? secondsLeft(run, pace) : null;
  const parts: ReactNode[] = [];
  if (ending) parts.push("Waiting for the workers to confirm");
  else if (run.status === "paused") parts.push(runningOf(run) ? "Finishing what is being made now" : "Nothing is being made");
  const backlog = backlogText(run);
  if (backlog && !ending) parts.push(backlog);
  if (ahead > 0 && !ending) parts.push(`${ahead.toLocaleString("en")} ${ahead === 1 ? "job" : "jobs"} of others first`);
  parts.push(<span title="Since the press">{clock((now - Date.parse(run.created_at)) / 1000)} elapsed</span>);
  if (left !== null) parts.push(`${about(left)} left`);
  return (
    <p className="mt-0.5 truncate text-sm leading-5 text-ink-2 steady" data-testid="run-line">
      {parts.map((part, index) => (
        // The parts have no identity beside their place.
        // oxlint-disable-next-line react/no-array-index-key
        <span key={index}>
          {index > 0 && <span aria-hidden> · </span>}
          {part}
        </span>
      ))}
    </p>
  );
}

/** Why nothing moves, and what to do about it. */
function NoticeLine({ run, plan, workers }: ToolbarProps) {
  if (run?.notice) {
    return (
      <p role="alert" className="mt-3 flex items-start gap-2 rounded-lg bg-accent-soft px-3 py-2 text-sm text-accent-text">
        <TriangleAlert aria-hidden className="mt-0.5 size-4 shrink-0" />
        <Message text={run.notice.message} />
      </p>
    );
  }
  const text = run ? loadingWorkers(workers, run) : missingWorkers(workers, plan);
  if (!text) return null;
  return (
    <p className="mt-3 flex items-start gap-2 rounded-lg bg-sunken px-3 py-2 text-sm text-ink-2">
      <Info aria-hidden className="mt-0.5 size-4 shrink-0" />
      <Message text={text} />
    </p>
  );
}

function DownloadLink({ projectId, made }: ToolbarProps) {
  const canExport = made > 0;
  return (
    <Hint text={canExport ? "All images and videos in story order, as one ZIP" : "There is nothing to download yet"}>
      <ButtonLink
        kind="quiet"
        className={classes("px-3", !canExport && "text-ink-3 hover:bg-transparent hover:text-ink-3")}
        aria-disabled={!canExport}
        {...(canExport ? { href: exportUrl(projectId), download: "" } : { role: "link", tabIndex: 0 })}
      >
        <Download aria-hidden className="size-4" />
        <span className="max-sm:sr-only">Download</span>
      </ButtonLink>
    </Hint>
  );
}
