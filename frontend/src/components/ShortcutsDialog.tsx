import { Key } from "@/components/ui/Key";
import { Modal } from "@/components/ui/Modal";
import { prefer, usePreferences } from "@/preferences";

const SHORTCUTS: { title: string; keys: [string[], string][] }[] = [
  {
    title: "The whole storyboard",
    keys: [
      [["G"], "Generate all scenes"],
      [["P"], "Pause or resume"],
      [["C"], "Cancel the generation"],
      [["F"], "Show what failed"],
      [["N"], "Add a sentence"],
      [["D"], "Download everything"],
    ],
  },
  {
    title: "From card to card",
    keys: [
      [["←", "→", "↑", "↓"], "Go to the next card"],
      [["Home", "End"], "First and last"],
      [["⇧", "+ arrow"], "Move the sentence"],
    ],
  },
  {
    title: "On a card",
    keys: [
      [["Enter"], "Open it, choose takes"],
      [["E"], "Edit text and prompt"],
      [["R"], "New image and video"],
      [["V"], "New video"],
      [["X"], "Cancel this scene"],
      [["Del"], "Delete the sentence"],
    ],
  },
  {
    title: "Elsewhere",
    keys: [
      [["J", "K"], "Next and previous, in an open scene"],
      [["Ctrl", "Enter"], "Save while writing"],
      [["Esc"], "Close, or leave without saving"],
      [["?"], "Show this"],
    ],
  },
];

export function ShortcutsDialog({ open, onOpenChange }: { open: boolean; onOpenChange: (open: boolean) => void }) {
  const { shortcuts } = usePreferences();
  return (
    <Modal open={open} onOpenChange={onOpenChange} title="Keyboard" wide>
      <div className="grid gap-x-10 gap-y-6 sm:grid-cols-2">
        {SHORTCUTS.map(({ title, keys }) => (
          <section key={title}>
            <h3 className="mb-2 text-sm font-medium text-ink-2">{title}</h3>
            <dl className="flex flex-col gap-1.5">
              {keys.map(([names, text]) => (
                <div key={text} className="flex items-center justify-between gap-4">
                  <dt>{text}</dt>
                  <dd className="flex gap-1">
                    {names.map((name) => (
                      <Key key={name}>{name}</Key>
                    ))}
                  </dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
      <label className="mt-6 flex items-center gap-2.5 border-t border-line pt-4 text-sm">
        <input type="checkbox" checked={shortcuts} onChange={(event) => prefer({ shortcuts: event.target.checked })} className="size-4 accent-accent-text" />
        Single keys do things. Switch this off if you speak to your computer, or press keys by accident.
      </label>
    </Modal>
  );
}
