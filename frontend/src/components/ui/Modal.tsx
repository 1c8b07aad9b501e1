import { X } from "lucide-react";
import { Dialog } from "radix-ui";
import type { KeyboardEvent, ReactNode, RefObject } from "react";
import { IconButton } from "./Button";
import { classes } from "./classes";

interface Props {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  title: string;
  description?: string;
  wide?: boolean;
  children: ReactNode;
  footer?: ReactNode;
  titleExtra?: ReactNode;
  onKeyDown?: (event: KeyboardEvent) => void;
  initialFocus?: RefObject<HTMLElement | null>;
  /** Where the focus goes afterwards, when no click opened it: otherwise it would be lost to the page. */
  returnFocus?: () => HTMLElement | null | undefined;
}

export function Modal({ open, onOpenChange, title, description, wide = false, children, footer, titleExtra, onKeyDown, initialFocus, returnFocus }: Props) {
  return (
    <Dialog.Root open={open} onOpenChange={onOpenChange}>
      <Dialog.Portal>
        <Dialog.Overlay className="fixed inset-0 z-40 bg-veil motion-safe:animate-[appear_150ms_ease-out]" />
        <Dialog.Content
          {...(description ? {} : { "aria-describedby": undefined })}
          onKeyDown={onKeyDown}
          onOpenAutoFocus={(event) => {
            // On the dialog as a whole: its first button is seldom what is wanted, and would show its hint.
            event.preventDefault();
            (initialFocus?.current ?? (event.currentTarget as HTMLElement)).focus();
          }}
          onCloseAutoFocus={(event) => {
            const target = returnFocus?.();
            if (!target) return;
            event.preventDefault();
            target.focus();
          }}
          className={classes(
            "fixed z-50 flex flex-col bg-surface text-ink shadow-pop outline-none motion-safe:animate-[rise_180ms_ease-out]",
            "inset-x-0 bottom-0 max-h-[92dvh] rounded-t-2xl sm:inset-auto sm:top-1/2 sm:left-1/2 sm:max-h-[88dvh] sm:-translate-x-1/2 sm:-translate-y-1/2 sm:rounded-2xl sm:border sm:border-line",
            wide ? "sm:w-[min(64rem,94vw)]" : "sm:w-[min(36rem,94vw)]",
          )}
        >
          <header className="flex items-start gap-3 border-b border-line px-5 py-4">
            <div className="min-w-0 flex-1">
              <Dialog.Title className="font-story text-xl leading-7 font-medium">{title}</Dialog.Title>
              {description && <Dialog.Description className="mt-0.5 text-sm text-ink-2">{description}</Dialog.Description>}
            </div>
            {titleExtra}
            <Dialog.Close asChild>
              {/* No hint: it would take the Escape that is meant for the dialog. */}
              <IconButton label="Close" hint={false} small className="-mr-1.5">
                <X aria-hidden className="size-4.5" />
              </IconButton>
            </Dialog.Close>
          </header>
          <div className="min-h-0 flex-1 overflow-y-auto overscroll-contain px-5 py-4">{children}</div>
          {footer && <footer className="flex flex-wrap items-center justify-end gap-2 border-t border-line px-5 py-3.5">{footer}</footer>}
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
