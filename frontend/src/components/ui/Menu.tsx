import { Check } from "lucide-react";
import { DropdownMenu } from "radix-ui";
import type { ComponentProps, ReactNode } from "react";
import { classes } from "./classes";
import { Key } from "./Key";

const ITEM =
  "flex min-h-9 items-center gap-2.5 rounded-md px-2.5 py-1.5 text-sm outline-none select-none " +
  "data-highlighted:bg-sunken data-disabled:text-ink-3 data-disabled:cursor-default [&>svg]:size-4 [&>svg]:shrink-0";
const CALM = "text-ink [&>svg]:text-ink-3";
const DANGER = "text-bad";

export const Menu = DropdownMenu.Root;
export const MenuTrigger = DropdownMenu.Trigger;
export const MenuRadios = DropdownMenu.RadioGroup;

export function MenuContent({ className, ...rest }: ComponentProps<typeof DropdownMenu.Content>) {
  return (
    <DropdownMenu.Portal>
      <DropdownMenu.Content
        sideOffset={6}
        collisionPadding={8}
        className={classes(
          "z-50 max-h-(--radix-dropdown-menu-content-available-height) min-w-52 overflow-y-auto rounded-xl border border-line bg-raised p-1.5 shadow-pop motion-safe:animate-[rise_120ms_ease-out]",
          className,
        )}
        {...rest}
      />
    </DropdownMenu.Portal>
  );
}

interface ItemProps extends ComponentProps<typeof DropdownMenu.Item> {
  keys?: string;
  danger?: boolean;
}

export function MenuItem({ keys, danger = false, className, children, ...rest }: ItemProps) {
  return (
    <DropdownMenu.Item className={classes(ITEM, danger ? DANGER : CALM, className)} {...rest}>
      {children}
      {keys && (
        <span className="ml-auto pl-6">
          <Key>{keys}</Key>
        </span>
      )}
    </DropdownMenu.Item>
  );
}

interface ChoiceProps {
  value: string;
  title: string;
  text?: string;
}

export function MenuChoice({ value, title, text }: ChoiceProps) {
  return (
    <DropdownMenu.RadioItem value={value} className={classes(ITEM, CALM, "items-start")}>
      <Mark />
      <span>
        {title}
        {text && <span className="block max-w-64 text-xs leading-4 text-ink-2">{text}</span>}
      </span>
    </DropdownMenu.RadioItem>
  );
}

interface SwitchProps {
  checked: boolean;
  onCheckedChange: (checked: boolean) => void;
  children: ReactNode;
}

export function MenuSwitch({ checked, onCheckedChange, children }: SwitchProps) {
  return (
    <DropdownMenu.CheckboxItem
      checked={checked}
      onCheckedChange={onCheckedChange}
      // Stays open: these are often set together.
      onSelect={(event) => event.preventDefault()}
      className={classes(ITEM, CALM)}
    >
      <Mark />
      {children}
    </DropdownMenu.CheckboxItem>
  );
}

function Mark() {
  return (
    <span className="mt-0.5 inline-flex size-4 shrink-0 items-center justify-center text-accent-text">
      <DropdownMenu.ItemIndicator>
        <Check aria-hidden className="size-4" />
      </DropdownMenu.ItemIndicator>
    </span>
  );
}

export function MenuLabel({ children }: { children: ReactNode }) {
  return <DropdownMenu.Label className="px-2.5 pt-2 pb-1 text-xs font-medium text-ink-3">{children}</DropdownMenu.Label>;
}

export function MenuLine() {
  return <DropdownMenu.Separator className="my-1.5 h-px bg-line" />;
}
