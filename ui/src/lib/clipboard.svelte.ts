import { call, listen, toFailure, type CopyShape, type ErrorView, type ValueSource } from "./ipc";
import type { ClipboardView } from "./ipc";

/** What this app put on the clipboard, and how long it stays. The value itself is never here. */
export class Clipboard {
  state = $state.raw<ClipboardView>({ state: "idle", clearsIn: null });
  /** Seconds until it is cleared, while something of ours is on the clipboard. */
  secondsLeft = $state<number | null>(null);
  /** Seconds it had at first, for the ring. */
  secondsAtFirst = $state(30);
  #until = 0;
  #timer: ReturnType<typeof setInterval> | null = null;

  /** Hears the shell's word on the clipboard until the returned function is called. */
  follow(): Promise<() => void> {
    return listen("clipboard", (view) => this.set(view));
  }

  /** Copies a value in Rust. Returns why not, or nothing. */
  async copy(source: ValueSource, shape: CopyShape = "value"): Promise<ErrorView | null> {
    try {
      this.set(await call("copy_value", { source, shape }));
      return null;
    } catch (thrown) {
      return toFailure(thrown);
    }
  }

  /** Clears it at once. */
  async clear(): Promise<ErrorView | null> {
    try {
      this.set(await call("clear_clipboard", null));
      return null;
    } catch (thrown) {
      return toFailure(thrown);
    }
  }

  /** Takes the shell's word. */
  set(view: ClipboardView): void {
    this.state = view;
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
    if (view.state !== "armed" || view.clearsIn === null) {
      this.secondsLeft = null;
      return;
    }
    this.#until = performance.now() + view.clearsIn;
    this.secondsAtFirst = Math.ceil(view.clearsIn / 1000);
    this.#tick();
    this.#timer = setInterval(() => this.#tick(), 250);
  }

  #tick(): void {
    const left = Math.max(0, Math.ceil((this.#until - performance.now()) / 1000));
    if (left !== this.secondsLeft) this.secondsLeft = left;
    if (left === 0 && this.#timer) {
      clearInterval(this.#timer);
      this.#timer = null;
    }
  }
}
