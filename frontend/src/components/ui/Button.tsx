import type { ComponentProps } from "react";
import { classes } from "./classes";
import { Hint } from "./Hint";

type Kind = "primary" | "busy" | "plain" | "quiet" | "failed" | "danger";

const KINDS: Record<Kind, string> = {
  primary: "bg-accent text-on-accent hover:bg-accent-strong aria-disabled:bg-ink/8 aria-disabled:text-ink-3",
  busy: "border border-accent/40 bg-accent-soft text-accent-text",
  plain: "border border-line-strong/60 bg-raised text-ink hover:border-line-strong hover:bg-surface",
  quiet: "text-ink-2 hover:bg-raised hover:text-ink",
  failed: "text-bad hover:bg-bad-soft",
  danger: "bg-bad-strong text-white hover:brightness-110",
};

const SHAPE =
  "inline-flex shrink-0 items-center justify-center gap-2 rounded-lg font-medium whitespace-nowrap transition-colors " +
  "disabled:opacity-50 disabled:pointer-events-none";

interface Props extends ComponentProps<"button"> {
  kind?: Kind;
  small?: boolean;
}

export function Button({ kind = "plain", small = false, className, ...rest }: Props) {
  const size = small ? "h-8 px-3 text-sm" : "h-10 px-4";
  return <button type="button" className={classes(SHAPE, size, KINDS[kind], className)} {...rest} />;
}

export function ButtonLink({ kind = "plain", small = false, className, children, ...rest }: ComponentProps<"a"> & { kind?: Kind; small?: boolean }) {
  const size = small ? "h-8 px-3 text-sm" : "h-10 px-4";
  return (
    <a className={classes(SHAPE, size, KINDS[kind], className)} {...rest}>
      {children}
    </a>
  );
}

interface IconProps extends ComponentProps<"button"> {
  label: string; //: what it does, for those who do not see the icon
  keys?: string; //: the key that does the same
  hint?: boolean; //: shown on hover and focus
  kind?: Kind;
  small?: boolean;
}

export function IconButton({ label, keys, hint = true, kind = "quiet", small = false, className, ...rest }: IconProps) {
  const button = (
    <button type="button" aria-label={label} className={classes(SHAPE, small ? "size-8" : "size-10", KINDS[kind], className)} {...rest} />
  );
  return hint ? (
    <Hint text={label} keys={keys}>
      {button}
    </Hint>
  ) : (
    button
  );
}
