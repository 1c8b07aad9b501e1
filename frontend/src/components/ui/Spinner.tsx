import { LoaderCircle } from "lucide-react";
import { classes } from "./classes";

/** Turns in steps: two dozen of them that glide would keep a processor busy with nothing else. */
export function Spinner({ className }: { className?: string }) {
  return <LoaderCircle aria-hidden className={classes("size-4 motion-safe:animate-[spin_1s_steps(12)_infinite]", className)} />;
}
