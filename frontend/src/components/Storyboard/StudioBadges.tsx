import { CloudOff, Cpu, RefreshCw, Wifi } from "lucide-react";
import { Popover } from "radix-ui";
import type { Worker } from "@/api/contracts";
import type { Connection } from "@/api/stream";
import { classes } from "@/components/ui/classes";
import { Message } from "@/components/ui/Message";
import { useWorkers } from "@/hooks/useWorkers";
import { doing, ofStage } from "@/storyboard/workers";

const WORDS: Record<Connection, { text: string; more: string }> = {
  connecting: { text: "Connecting", more: "Connecting to the studio's live updates." },
  live: { text: "Live", more: "Every change shows here at once." },
  reconnecting: { text: "Reconnecting", more: "Live updates are away for a moment. Work goes on; this page looks every few seconds." },
  offline: { text: "Offline", more: "This device has no network. Work goes on, and shows here once you are back." },
  refused: { text: "Not live", more: "The studio does not send live updates to this page." },
};

export function ConnectionBadge({ connection }: { connection: Connection }) {
  const { text, more } = WORDS[connection];
  const Icon = connection === "live" ? Wifi : connection === "offline" || connection === "refused" ? CloudOff : RefreshCw;
  return (
    // As wide for every word: nothing beside it moves.
    <span title={more} data-connection={connection} className="inline-flex h-8 items-center sm:min-w-30 justify-end gap-1.5 px-1.5 text-sm text-ink-2">
      <Icon aria-hidden className={classes("size-4", connection === "live" && "text-ok")} />
      <span className={connection === "live" ? "max-sm:sr-only" : undefined}>{text}</span>
    </span>
  );
}

export function WorkersBadge({ projectId }: { projectId: string }) {
  const workers = useWorkers();
  const failed = workers?.filter((worker) => worker.state === "failed").length ?? 0;
  const count = workers && workers.length - failed;
  return (
    <Popover.Root>
      <Popover.Trigger className="inline-flex h-8 items-center gap-1.5 rounded-lg px-2 text-sm text-ink-2 hover:bg-raised hover:text-ink">
        <Cpu aria-hidden className={classes("size-4", count === 0 || failed ? "text-bad" : "text-ink-3")} />
        <span className="steady">
          {count ?? ""}{" "}
          <span className="max-sm:sr-only">
            {count === 1 ? "worker" : "workers"}
            {failed > 0 && `, ${failed} failed`}
          </span>
        </span>
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content
          align="end"
          sideOffset={6}
          collisionPadding={8}
          aria-label="Workers"
          className="z-50 w-[min(24rem,92vw)] rounded-xl border border-line bg-raised p-4 shadow-pop motion-safe:animate-[rise_120ms_ease-out]"
        >
          <div className="flex flex-col gap-4">
            <Kind title="Image workers" workers={ofStage(workers ?? [], "image")} projectId={projectId} />
            <Kind title="Video workers" workers={ofStage(workers ?? [], "video")} projectId={projectId} />
          </div>
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}

const DOTS: Record<Worker["state"], string> = {
  starting: "bg-ink-3 motion-safe:animate-[breathe_1.8s_ease-in-out_infinite]",
  idle: "bg-ok",
  busy: "bg-accent",
  failed: "bg-bad",
  gone: "bg-ink-3",
};

function Kind({ title, workers, projectId }: { title: string; workers: Worker[]; projectId: string }) {
  return (
    <section>
      <h2 className="mb-1.5 text-sm font-medium">{title}</h2>
      {workers.length === 0 && <p className="text-sm text-ink-2">None is running. Work for it waits, and nothing is lost.</p>}
      <ul className="flex flex-col gap-1.5">
        {workers.map((worker) => (
          <li key={worker.name} className="flex items-start gap-2 text-sm">
            <span
              aria-hidden
              className={classes("mt-1.5 size-2 shrink-0 rounded-full", DOTS[worker.state])}
            />
            <span className="min-w-0 flex-1">
              {/* Whole: names of many often differ only at their end. */}
              <span className="block break-words">{worker.name}</span>
              <span className={classes("block break-words", worker.state === "failed" ? "text-bad" : "text-ink-2")}>
                {worker.generator} · <Message text={doing(worker, projectId)} />
              </span>
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}
