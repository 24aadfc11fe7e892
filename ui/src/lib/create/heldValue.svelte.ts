import { call, newOpId, toFailure } from "../ipc";
import type { CopyShape, ErrorView, HeldView, ValueSource } from "../ipc";

/** What the dialog is busy with. */
export type HeldAct = "copy" | "keychain" | "file" | "reveal" | "done" | "revoke";

/** How the clipboard is filled: the one clipboard of the app, in Rust. */
export type CopyValue = (source: ValueSource, shape: CopyShape) => Promise<ErrorView | null>;

/** "Save your API key": a value that nobody has yet. The value itself is never here. */
export class HeldValue {
  view = $state.raw<HeldView>({} as HeldView);
  busy = $state<HeldAct | null>(null);
  problem = $state.raw<ErrorView | null>(null);
  /** "Close without keeping it?" is on screen. */
  asking = $state(false);
  /** Where it was written, for the tick beside the button. */
  wroteFile = $state(false);

  readonly #copy: CopyValue;
  readonly #closed: (kept: boolean) => void;

  constructor(view: HeldView, copy: CopyValue, closed: (kept: boolean) => void) {
    this.view = view;
    this.#copy = copy;
    this.#closed = closed;
  }

  get source(): ValueSource {
    return { kind: "held", held: this.view.held };
  }

  get isSaved(): boolean {
    return this.view.saved.kind === "saved";
  }

  async copy(shape: CopyShape): Promise<void> {
    await this.#during("copy", async () => {
      const problem = await this.#copy(this.source, shape);
      if (problem) this.problem = problem;
      else this.#markKept();
    });
  }

  async reveal(): Promise<void> {
    await this.#during("reveal", async () => {
      await call("reveal_value", this.source);
      this.#markKept();
    });
  }

  async saveToKeychain(): Promise<void> {
    await this.#during("keychain", async () => {
      try {
        this.view = await call("save_held_to_keychain", { held: this.view.held });
      } catch (thrown) {
        // Said where "Saved" would stand, and not a second time.
        this.view = { ...this.view, saved: { kind: "failed", problem: toFailure(thrown) } };
      }
    });
  }

  async saveToFile(): Promise<void> {
    await this.#during("file", async () => {
      try {
        this.view = await call("save_held_to_file", { held: this.view.held });
        this.wroteFile = true;
      } catch (thrown) {
        // Closing the file chooser is a choice, not trouble.
        if (toFailure(thrown).code !== "cancelled") throw thrown;
      }
    });
  }

  /** "Done": closes when somebody has the value, asks when nobody has. */
  async done(): Promise<void> {
    await this.#during("done", async () => {
      try {
        await this.#finish("kept");
        this.#closed(true);
      } catch (thrown) {
        const failure = toFailure(thrown);
        if (failure.code === "valueNotKept") this.asking = true;
        else if (failure.code === "valueGone") this.#closed(false);
        else throw thrown;
      }
    });
  }

  /** The window was about to close. */
  ask(): void {
    this.asking = true;
  }

  goBack(): void {
    this.asking = false;
    this.problem = null;
  }

  async revokeAndClose(): Promise<void> {
    await this.#during("revoke", async () => {
      await this.#finish("revokeAndClose");
      this.#closed(false);
    });
  }

  async #finish(finish: "kept" | "revokeAndClose"): Promise<void> {
    await call("finish_held", { opId: newOpId(), held: this.view.held, finish });
  }

  async #during(act: HeldAct, work: () => Promise<void>): Promise<void> {
    if (this.busy) return;
    this.busy = act;
    this.problem = null;
    try {
      await work();
    } catch (thrown) {
      this.problem = toFailure(thrown);
    } finally {
      this.busy = null;
    }
  }

  #markKept(): void {
    this.view = { ...this.view, kept: true };
  }
}
