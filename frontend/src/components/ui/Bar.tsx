import { classes } from "./classes";

interface Props {
  label: string;
  /** 0 to 1; null while it is not known. */
  value: number | null;
  tone: "image" | "video" | "accent";
  /** The part that failed, drawn after the rest. */
  failed?: number;
  /** Drawn over a picture, light or dark. */
  onPicture?: boolean;
  text?: string;
}

const TONES = { image: "bg-image", video: "bg-video", accent: "bg-accent" };

export function Bar({ label, value, tone, failed = 0, onPicture, text }: Props) {
  return (
    <div
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      {...(value === null ? {} : { "aria-valuenow": Math.round(value * 100) })}
      aria-valuetext={text}
      className={classes("relative flex h-1.5 overflow-hidden rounded-full", onPicture ? "bg-canvas/75 ring-1 ring-ink/20" : "bg-ink/12")}
    >
      {value === null ? (
        <span className={classes("absolute inset-y-0 w-2/5 rounded-full motion-safe:animate-[sweep_1.4s_ease-in-out_infinite]", TONES[tone])} />
      ) : (
        <>
          <span
            className={classes("h-full", TONES[tone])}
            style={{ width: `${Math.max(0, value - failed) * 100}%` }}
          />
          {failed > 0 && <span className="h-full bg-bad-strong" style={{ width: `${failed * 100}%` }} />}
        </>
      )}
    </div>
  );
}
