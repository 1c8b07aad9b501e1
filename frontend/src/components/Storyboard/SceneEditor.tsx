import { useState } from "react";
import type { Sentence } from "@/api/contracts";
import { Button } from "@/components/ui/Button";
import { differs, type Draft, drafts } from "@/hooks/drafts";
import { useSceneActions } from "./actions";

export const LONGEST_TEXT = 2000;
export const LONGEST_PROMPT = 4000;

/** Text and prompt of a scene, edited where the card is: it keeps the card's size. */
export function SceneEditor({ sentence, number }: { sentence: Sentence; number: number }) {
  const actions = useSceneActions();
  const { id } = sentence;
  const [{ text, prompt }, setDraft] = useState(() => drafts.get(id) ?? { text: sentence.text, prompt: sentence.prompt ?? "" });
  const [saving, setSaving] = useState(false);
  const empty = !text.trim();

  function write(change: Partial<Draft>) {
    const draft = { text, prompt, ...change };
    drafts.set(id, draft);
    setDraft(draft);
  }

  function end() {
    drafts.delete(id);
    actions.endEdit(id);
  }

  async function save() {
    if (empty || saving) return;
    if (!differs({ text, prompt }, sentence)) {
      end();
      return;
    }
    setSaving(true);
    const saved = await actions.save(id, { text, prompt });
    setSaving(false);
    if (saved) end();
  }

  return (
    <form
      aria-label={`Edit scene ${number}`}
      className="flex h-full flex-col gap-2 p-3"
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
      onKeyDown={(event) => {
        if (event.key === "Escape") end();
        else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) void save();
        else return;
        event.preventDefault();
        event.stopPropagation();
      }}
    >
      <label className="flex min-h-0 flex-1 flex-col gap-1 text-xs text-ink-2">
        Sentence
        <textarea
          // The creator asked to edit: the next thing to do is to type.
          // oxlint-disable-next-line jsx-a11y/no-autofocus
          autoFocus
          value={text}
          maxLength={LONGEST_TEXT}
          aria-invalid={empty}
          onChange={(event) => write({ text: event.target.value })}
          className="field min-h-0 flex-1 resize-none font-story text-base leading-snug"
        />
      </label>
      <label className="flex min-h-0 flex-1 flex-col gap-1 text-xs text-ink-2">
        Picture prompt, where it is not the sentence itself
        <textarea
          value={prompt}
          maxLength={LONGEST_PROMPT}
          placeholder={text || "What to draw"}
          onChange={(event) => write({ prompt: event.target.value })}
          className="field min-h-0 flex-1 resize-none text-sm leading-snug"
        />
      </label>
      <div className="flex justify-end gap-2">
        <Button small kind="quiet" onClick={end}>
          Cancel
        </Button>
        <Button small kind="primary" type="submit" disabled={empty || saving}>
          Save
        </Button>
      </div>
    </form>
  );
}
