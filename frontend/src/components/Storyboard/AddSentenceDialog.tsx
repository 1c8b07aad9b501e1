import { useRef, useState } from "react";
import { ask, http, Refusal } from "@/api/client";
import { Button } from "@/components/ui/Button";
import { Message } from "@/components/ui/Message";
import { Modal } from "@/components/ui/Modal";
import { LONGEST_PROMPT, LONGEST_TEXT } from "./SceneEditor";

interface Props {
  projectId: string;
  place: number;
  count: number;
  onClose: () => void;
  onAdded: (id: string) => void;
}

export function AddSentenceDialog({ projectId, place, count, onClose, onAdded }: Props) {
  const [text, setText] = useState("");
  const [prompt, setPrompt] = useState("");
  const [refusal, setRefusal] = useState<string | null>(null);
  const [saving, setSaving] = useState(false);
  const first = useRef<HTMLTextAreaElement>(null);

  async function add() {
    if (!text.trim() || saving) return;
    setSaving(true);
    try {
      const params = { path: { project_id: projectId } };
      const body = { text, prompt: prompt.trim() || null, position: place };
      const made = await ask(http.POST("/api/v1/projects/{project_id}/sentences", { params, body }));
      onAdded(made.id);
      onClose();
    } catch (error) {
      setRefusal(error instanceof Refusal ? error.message : String(error));
      setSaving(false);
    }
  }

  return (
    <Modal
      open
      onOpenChange={(open) => !open && onClose()}
      title="Add a sentence"
      description={place > count ? "At the end of the story." : `At place ${place} of the story.`}
      initialFocus={first}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit" form="add-sentence" disabled={!text.trim() || saving}>
            Add sentence
          </Button>
        </>
      }
    >
      <form
        id="add-sentence"
        className="flex flex-col gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          void add();
        }}
        onKeyDown={(event) => {
          if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) void add();
        }}
      >
        <label className="flex flex-col gap-1.5 text-sm text-ink-2">
          Sentence
          <textarea ref={first} rows={3} value={text} maxLength={LONGEST_TEXT} onChange={(event) => setText(event.target.value)} className="field font-story text-lg leading-snug" />
        </label>
        <label className="flex flex-col gap-1.5 text-sm text-ink-2">
          Picture prompt, where it is not the sentence itself
          <textarea rows={2} value={prompt} maxLength={LONGEST_PROMPT} onChange={(event) => setPrompt(event.target.value)} className="field" />
        </label>
        {refusal && (
          <p role="alert" className="text-sm text-bad">
            <Message text={refusal} />
          </p>
        )}
      </form>
    </Modal>
  );
}
