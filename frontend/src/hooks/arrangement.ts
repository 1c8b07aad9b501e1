/** The order that the creator gives the story: shown at once, saved a moment later, or before what goes by it. */
import { ask, http } from "@/api/client";
import { attempt } from "@/components/tell";
import type { Sync } from "@/storyboard/sync";

const SAVE_WAIT_MS = 350; //: a sentence is often moved several places, one after the other

export class Arrangement {
  private waiting: { order: readonly string[]; timer: ReturnType<typeof setTimeout> } | null = null;
  private saved: Promise<unknown> = Promise.resolve(); //: answered, and all before it
  private readonly projectId: string;
  private readonly sync: Sync;

  constructor(projectId: string, sync: Sync) {
    this.projectId = projectId;
    this.sync = sync;
  }

  /** Another order of the same sentences. */
  arrange(order: readonly string[]): void {
    this.sync.dispatch({ type: "arranged", order });
    clearTimeout(this.waiting?.timer);
    this.waiting = { order, timer: setTimeout(() => void this.flush(), SAVE_WAIT_MS) };
  }

  /** The order without a sentence that `request` deletes. Whether the studio took it. */
  drop(order: readonly string[], request: () => Promise<unknown>): Promise<boolean> {
    void this.flush();
    this.sync.dispatch({ type: "arranged", order });
    return this.keep(order, request);
  }

  /** Save what waits. Resolves once the studio has answered to all that was arranged; a refusal has been told then. */
  async flush(): Promise<void> {
    const { waiting } = this;
    if (waiting) {
      clearTimeout(waiting.timer);
      this.waiting = null;
      void this.keep(waiting.order, () => this.reorder(waiting.order));
    }
    await this.saved;
  }

  /** One after the other: an earlier order must not arrive after a later one. */
  private keep(order: readonly string[], request: () => Promise<unknown>): Promise<boolean> {
    const kept = this.saved.then(async () => {
      const taken = await attempt(request());
      this.sync.dispatch(taken ? { type: "order_answered", order } : { type: "order_refused" });
      this.sync.refresh();
      return taken;
    });
    this.saved = kept;
    return kept;
  }

  private reorder(order: readonly string[]): Promise<unknown> {
    const params = { path: { project_id: this.projectId } };
    return ask(http.POST("/api/v1/projects/{project_id}/sentences/reorder", { params, body: { sentence_ids: [...order] } }));
  }
}
