import { newOpId, toFailure } from "../ipc";
import type { ErrorView, KeyView } from "../ipc";
import type { Keys } from "../keys/keys.svelte";

/** The list the keys are in: changes go through it, so that it shows them. */
export type DeletedList = Pick<Keys, "remove" | "removeAll">;

/** "Delete API key": for ever, and only after the name was typed. */
export class DeleteKeys {
  readonly keys: readonly KeyView[];
  typed = $state("");
  busy = $state(false);
  problem = $state.raw<ErrorView | null>(null);
  readonly #list: DeletedList;
  readonly #done: () => void;

  constructor(list: DeletedList, keys: readonly KeyView[], done: () => void) {
    this.#list = list;
    this.keys = keys;
    this.#done = done;
  }

  /** The one key; none when there are several. */
  get single(): KeyView | null {
    return this.keys.length === 1 ? (this.keys[0] ?? null) : null;
  }

  /** What has to be typed: the name, or how many they are. */
  get expected(): string {
    return this.single?.name ?? String(this.keys.length);
  }

  get mayDelete(): boolean {
    return this.typed === this.expected;
  }

  /** Keys that still work: for these, revoking can be undone and deleting cannot. */
  get working(): readonly KeyView[] {
    return this.keys.filter((key) => key.status === "active" || key.status === "expiring");
  }

  async delete(): Promise<void> {
    if (this.busy || !this.mayDelete) return;
    this.busy = true;
    this.problem = null;
    try {
      // Several: the list itself counts them off and can be stopped.
      if (this.single) await this.#list.remove(newOpId(), this.single, this.typed);
      else void this.#list.removeAll(this.keys);
      this.#done();
    } catch (thrown) {
      this.problem = toFailure(thrown);
    } finally {
      this.busy = false;
    }
  }
}
