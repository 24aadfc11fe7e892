import { call, toFailure } from "../lib/ipc";
import type { ErrorView, RevealView } from "../lib/ipc";

/** One value on screen, for a short while. This window dies with it. */
export class Revealed {
  view = $state.raw<RevealView | null>(null);
  problem = $state.raw<ErrorView | null>(null);
  /** Hidden while the window is not in front, until asked for again. */
  masked = $state(false);
  secondsLeft = $state(0);
  copied = $state(false);
  #until = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Takes the value; it can be taken once. */
  async take(): Promise<void> {
    try {
      const view = await call("reveal_take", null);
      this.#until = this.#now() + view.closesIn * 1000;
      this.view = view;
      this.#tick();
      this.#timer = setInterval(() => this.#tick(), 250);
    } catch (thrown) {
      this.problem = toFailure(thrown);
    }
  }

  async copy(): Promise<void> {
    try {
      await call("reveal_copy", null);
      this.copied = true;
    } catch (thrown) {
      this.problem = toFailure(thrown);
    }
  }

  /** Drops the value and closes the window. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.view = null;
    try {
      await call("reveal_close", null);
    } catch (thrown) {
      this.problem = toFailure(thrown);
    }
  }

  /** Another window came in front. */
  hide(): void {
    this.masked = true;
  }

  show(): void {
    this.masked = false;
  }

  /** Stops the clock; the page is gone. */
  stop(): void {
    clearInterval(this.#timer);
  }

  #tick(): void {
    const left = Math.max(0, Math.ceil((this.#until - this.#now()) / 1000));
    if (left !== this.secondsLeft) this.secondsLeft = left;
    if (left === 0) void this.close();
  }
}
