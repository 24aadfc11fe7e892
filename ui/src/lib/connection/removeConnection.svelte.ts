import { call, toFailure } from "../ipc";
import type { ConnectionView, ErrorView, RemovalView, StartView } from "../ipc";

/** "Remove NAME?": what goes from this computer, what stands against it, and doing it. */
export class RemoveConnection {
  view = $state.raw<RemovalView | null>(null);
  busy = $state(false);
  problem = $state.raw<ErrorView | null>(null);

  readonly #connection: ConnectionView;
  readonly #removed: (view: StartView) => void;
  #turn = 0;

  constructor(connection: ConnectionView, removed: (view: StartView) => void) {
    this.#connection = connection;
    this.#removed = removed;
  }

  /** Something still needs the connection. */
  get blocked(): boolean {
    return this.view !== null && (this.view.waiting > 0 || this.view.notKept !== null);
  }

  /** Asks what would go; again after something changed. */
  async look(): Promise<void> {
    if (this.busy) return;
    const turn = ++this.#turn;
    try {
      const view = await call("connection_removal", { connection: this.#connection.id });
      if (turn === this.#turn) this.view = view;
    } catch (thrown) {
      if (turn === this.#turn) this.problem = toFailure(thrown);
    }
  }

  /** Removes it; true when it is done. */
  async remove(): Promise<boolean> {
    if (this.busy || this.view === null || this.blocked) return false;
    this.busy = true;
    this.problem = null;
    try {
      this.#removed(await call("remove_connection", { connection: this.#connection.id }));
      return true;
    } catch (thrown) {
      this.problem = toFailure(thrown);
      return false;
    } finally {
      this.busy = false;
      if (this.problem) void this.look();
    }
  }
}
