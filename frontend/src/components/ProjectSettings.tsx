import { useState } from "react";
import type { Size } from "@/api/contracts";
import { classes } from "@/components/ui/classes";
import { Message } from "@/components/ui/Message";

export interface Settings {
  title: string;
  style: string;
  size: Size;
}

const SHAPES: { name: string; width: number; height: number }[] = [
  { name: "Wide", width: 1280, height: 720 },
  { name: "Upright", width: 720, height: 1280 },
  { name: "Square", width: 960, height: 960 },
  { name: "Draft", width: 640, height: 360 },
];

interface Props {
  settings: Settings;
  onChange: (change: Partial<Settings>) => void;
  wrong: (field: string) => string | undefined;
}

/** Title, style and picture size: asked when a project is made, and changed later. */
export function ProjectSettings({ settings, onChange, wrong }: Props) {
  const { title, style, size } = settings;
  const wrongSize = wrong("size");
  return (
    <div className="flex flex-col gap-5">
      <Field label="Title" error={wrong("title")}>
        <input value={title} maxLength={200} onChange={(event) => onChange({ title: event.target.value })} className="field font-story text-lg" aria-invalid={Boolean(wrong("title"))} autoComplete="off" />
      </Field>
      <Field label="Style, added to every picture" error={wrong("style")}>
        <input
          value={style}
          maxLength={500}
          placeholder="watercolour, soft morning light"
          onChange={(event) => onChange({ style: event.target.value })}
          className="field"
          autoComplete="off"
        />
      </Field>
      <fieldset>
        <legend className="mb-1.5 text-sm text-ink-2">Picture</legend>
        <div className="grid grid-cols-2 gap-2">
          {SHAPES.map((shape) => (
            <Shape key={shape.name} shape={shape} chosen={shape.width === size.width && shape.height === size.height} onChoose={() => onChange({ size: { ...size, width: shape.width, height: shape.height } })} />
          ))}
        </div>
        {wrongSize && (
          <p role="alert" className="mt-1 text-sm text-bad">
            <Message text={wrongSize} />
          </p>
        )}
      </fieldset>
      <div className="grid grid-cols-2 gap-4">
        <Field label="Seconds of each video" error={wrong("size.seconds")}>
          <NumberInput min={0.5} step={0.5} value={size.seconds} onChange={(seconds) => onChange({ size: { ...size, seconds } })} />
        </Field>
        <Field label="Frames per second" error={wrong("size.fps")}>
          <NumberInput min={1} step={1} value={size.fps} onChange={(fps) => onChange({ size: { ...size, fps } })} />
        </Field>
      </div>
    </div>
  );
}

/** Shows what is typed, also where that is not a number yet; it counts as 0 then. */
function NumberInput({ min, step, value, onChange }: { min: number; step: number; value: number; onChange: (value: number) => void }) {
  const [text, setText] = useState(String(value));
  return (
    <input
      type="number"
      min={min}
      max={60}
      step={step}
      value={Number(text) === value ? text : value}
      onChange={(event) => {
        setText(event.target.value);
        onChange(event.target.valueAsNumber || 0);
      }}
      className="field steady"
    />
  );
}

export function Field({ label, error, children }: { label: string; error?: string | undefined; children: React.ReactNode }) {
  return (
    <label className="flex flex-col gap-1.5 text-sm text-ink-2">
      {label}
      {children}
      {error && (
        <span role="alert" className="text-bad">
          <Message text={error} />
        </span>
      )}
    </label>
  );
}

function Shape({ shape, chosen, onChoose }: { shape: (typeof SHAPES)[number]; chosen: boolean; onChoose: () => void }) {
  const scale = 26 / Math.max(shape.width, shape.height);
  return (
    <label
      className={classes(
        "flex items-center gap-2.5 rounded-lg border px-3 py-2 has-focus-visible:outline-2 has-focus-visible:outline-offset-2 has-focus-visible:outline-accent-text",
        chosen ? "border-accent-text bg-accent-soft" : "border-line hover:border-line-strong",
      )}
    >
      <input type="radio" name="shape" checked={chosen} onChange={onChoose} className="sr-only" />
      <span className="flex size-7 shrink-0 items-center justify-center">
        <span aria-hidden className={classes("rounded-[3px] border-[1.5px]", chosen ? "border-accent-text" : "border-ink-3")} style={{ width: shape.width * scale, height: shape.height * scale }} />
      </span>
      <span className="min-w-0 leading-tight">
        {shape.name}
        <span className="block text-xs whitespace-nowrap text-ink-2 steady">
          {shape.width} × {shape.height}
        </span>
      </span>
    </label>
  );
}
