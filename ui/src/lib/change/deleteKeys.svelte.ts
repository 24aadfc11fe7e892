import { newOpId, toFailure } from "../ipc";
import type { ErrorView, KeyView } from "../ipc";
import type { Keys } from "../keys/keys.svelte";
import { confirmation, endOf, isConfirmed, visible } from "../keys/names";

/** The list the keys are in: changes go through it, so that it shows them. */
export type DeletedList = Pick<Keys, "remove" | "removeAll">;

/** "Delete API key": for ever, and only after it was typed which one. */
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

  /** What is asked to be typed: the name, the end of its uid where nobody can, or the number. */
  get asks(): { label: string; note: string } {
    if (!this.single) {
      const label = "Type the number of keys to confirm";
      return { label, note: `The number is ${this.keys.length}` };
    }
    const { name, uid } = this.single;
    const { kind, text } = confirmation(name, uid);
    return kind === "name"
      ? { label: "Type the key's name to confirm", note: `The name is ${visible(text)}` }
      : {
          label: `Type ${endOf(uid)} to delete`,
          note: "The last six of its UID, because the name cannot be typed",
        };
  }

  get mayDelete(): boolean {
    return this.single
      ? isConfirmed(this.typed, this.single.name, this.single.uid)
      : this.typed.trim() === String(this.keys.length);
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
