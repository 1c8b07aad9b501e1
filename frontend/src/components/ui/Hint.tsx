import { Tooltip } from "radix-ui";
import type { ReactElement } from "react";
import { Key } from "./Key";

interface Props {
  text: string;
  keys?: string | undefined;
  children: ReactElement;
}

/** What a control does, on hover and focus. */
export function Hint({ text, keys, children }: Props) {
  return (
    <Tooltip.Root>
      <Tooltip.Trigger asChild>{children}</Tooltip.Trigger>
      <Tooltip.Portal>
        <Tooltip.Content
          sideOffset={6}
          collisionPadding={8}
          className="z-50 flex max-w-72 items-center gap-2 rounded-md border border-line bg-raised px-2.5 py-1.5 text-sm text-ink shadow-pop motion-safe:animate-[appear_120ms_ease-out]"
        >
          {text}
          {keys && <Key>{keys}</Key>}
        </Tooltip.Content>
      </Tooltip.Portal>
    </Tooltip.Root>
  );
}
