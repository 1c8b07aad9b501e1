/** What the creator writes on cards: kept until it is saved or dropped, and saved before a press that goes by it. */
import { ask, http } from "@/api/client";
import type { EditSentence, Sentence } from "@/api/contracts";
import type { Sync } from "@/storyboard/sync";

export interface Draft {
  text: string;
  prompt: string;
}

/** By sentence. One stays when another card is opened, or the dialog is closed. */
export const drafts = new Map<string, Draft>();

export function differs({ text, prompt }: Draft, sentence: Sentence): boolean {
  return text.trim() !== sentence.text || prompt.trim() !== (sentence.prompt ?? "");
}

export async function saveSentence(sync: Sync, projectId: string, id: string, body: EditSentence): Promise<Sentence> {
  const params = { path: { project_id: projectId, sentence_id: id } };
  const sentence = await ask(http.PATCH("/api/v1/projects/{project_id}/sentences/{sentence_id}", { params, body }));
  sync.dispatch({ type: "sentence_edited", sentence });
  return sentence;
}

/** Save what was written in these sentences, or in all of the story. Throws the `Refusal` of the first that is not taken. */
export async function saveDrafts(sync: Sync, projectId: string, ids: readonly string[] | null): Promise<void> {
  const board = sync.read().known.board;
  for (const id of ids ?? board?.order ?? []) {
    const draft = drafts.get(id);
    const sentence = board?.sentences.get(id)?.value;
    // Without a text it is still being written: nothing else could be meant by it.
    if (!draft?.text.trim() || !sentence) continue;
    if (differs(draft, sentence)) await saveSentence(sync, projectId, id, draft);
    drafts.delete(id);
  }
}
