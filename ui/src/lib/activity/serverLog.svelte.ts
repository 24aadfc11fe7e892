import { call, toFailure } from "../ipc";
import type { AuditView, ErrorView } from "../ipc";

/** Which entries of the server's audit log are read. */
export interface LogScope {
  connection: string;
  /** One key's; none: every key's. */
  uid: string | null;
  /** Not older than this, ms since 1970; none: from the beginning. */
  from: number | null;
}

/** The server's audit log, read page by page and only when somebody looks. */
export class ServerLog {
  entries = $state.raw<readonly AuditView[]>([]);
  /** Entries that could not be understood. */
  skipped = $state(0);
  /** Nothing was read yet. */
  waiting = $state(true);
  loading = $state(false);
  hasOlder = $state(false);
  problem = $state.raw<ErrorView | null>(null);
  /** Why it may not be read, in words. */
  notAllowed = $state<string | null>(null);
  #scope: LogScope | null = null;
  #next: string | null = null;
  #turn = 0;

  /** Reads from the newest. */
  async read(scope: LogScope): Promise<void> {
    const same =
      this.#scope?.connection === scope.connection &&
      this.#scope.uid === scope.uid &&
      this.#scope.from === scope.from;
    if (!same) {
      this.entries = [];
      this.skipped = 0;
      this.hasOlder = false;
      this.waiting = true;
    }
    this.#scope = scope;
    await this.#page(null);
  }

  /** Reads it again from the newest, as it was read last. */
  async again(): Promise<void> {
    if (this.#scope) await this.read(this.#scope);
  }

  async loadOlder(): Promise<void> {
    if (!this.loading && this.#next !== null) await this.#page(this.#next);
  }

  async #page(next: string | null): Promise<void> {
    const scope = this.#scope;
    if (!scope) return;
    const turn = ++this.#turn;
    this.loading = true;
    try {
      const view = await call("list_audits", { ...scope, until: null, next });
      if (turn !== this.#turn) return;
      this.problem = null;
      this.notAllowed = view.kind === "notAllowed" ? view.message : null;
      if (view.kind === "notAllowed") {
        this.entries = [];
        this.#next = null;
      } else {
        this.entries = next === null ? view.entries : [...this.entries, ...view.entries];
        this.skipped = (next === null ? 0 : this.skipped) + view.skipped;
        this.#next = view.next;
      }
      this.hasOlder = this.#next !== null;
    } catch (thrown) {
      if (turn === this.#turn) this.problem = toFailure(thrown);
    } finally {
      if (turn === this.#turn) {
        this.loading = false;
        this.waiting = false;
      }
    }
  }
}
