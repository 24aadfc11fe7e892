import { call, newOpId, toFailure } from "../ipc";
import type {
  ConnectionView,
  ErrorView,
  FoundOutcome,
  FoundView,
  KeyView,
  RevokedFoundView,
} from "../ipc";

/** Where "Found a key?" stands. */
export type FoundStep = "enter" | "ask" | "trying" | "told" | "revoking" | "revoked";

/** A key that was just revoked for a found value. */
export interface FoundRevoked {
  key: KeyView;
  view: RevokedFoundView;
}

/** "Found a key?": whose is it, and out of service with it. The value goes in and never comes back. */
export class FoundKey {
  step = $state<FoundStep>("enter");
  connection = $state("");
  value = $state("");
  problem = $state.raw<ErrorView | null>(null);
  view = $state.raw<FoundView | null>(null);
  /** uid of the key it is said to be. */
  picked = $state("");
  revoked = $state.raw<FoundRevoked | null>(null);
  /** Keys that turned out not to be it. */
  #wrong = $state.raw<ReadonlySet<string>>(new Set());

  constructor(connections: readonly ConnectionView[], active: string | null) {
    const chosen = connections.find(({ id }) => id === active) ?? connections[0];
    this.connection = chosen?.id ?? "";
  }

  get outcome(): FoundOutcome | null {
    return this.view?.outcome ?? null;
  }

  /** The keys it can be, but for those that were tried. */
  get candidates(): readonly KeyView[] {
    const { outcome } = this;
    if (outcome?.kind === "known") return [outcome.key];
    if (outcome?.kind !== "unknown") return [];
    return outcome.candidates.filter(({ uid }) => !this.#wrong.has(uid));
  }

  /** The key that would be revoked: the known one, the only one it can be, or the one picked. */
  get target(): KeyView | null {
    if (!this.view?.found) return null;
    const { candidates } = this;
    const [only] = candidates;
    if (candidates.length === 1) return only ?? null;
    return candidates.find(({ uid }) => uid === this.picked) ?? null;
  }

  get busy(): boolean {
    return this.step === "trying" || this.step === "revoking";
  }

  /** Goes on to the question where it is tried. */
  ask(): void {
    if (this.value.trim() === "") {
      this.problem = { code: "keyMalformed", message: "Paste the value first.", details: null };
      return;
    }
    this.problem = null;
    this.step = "ask";
  }

  /** Back to the field. */
  back(): void {
    this.problem = null;
    this.step = "enter";
  }

  /** Tries it, once. Whatever comes of it, the window lets go of the value. */
  async try(): Promise<void> {
    if (this.step !== "ask") return;
    this.step = "trying";
    const { value, connection } = this;
    try {
      this.view = await call("try_found_key", { opId: newOpId(), connection, value });
      this.value = "";
      this.step = "told";
    } catch (thrown) {
      this.problem = toFailure(thrown);
      // What is no key may be mended; anything else is typed again on purpose.
      if (this.problem.code !== "keyMalformed") this.value = "";
      this.step = "enter";
    }
  }

  /** Tries it on the connection that it was recognised for: it has to be pasted again. */
  elsewhere(connection: string): void {
    this.connection = connection;
    this.view = null;
    this.step = "enter";
  }

  /** Revokes the key that it is said to be. The person has confirmed it. */
  async revoke(key: KeyView): Promise<void> {
    const found = this.view?.found;
    if (!found || this.busy) return;
    this.step = "revoking";
    this.problem = null;
    try {
      const view = await call("revoke_found_key", { opId: newOpId(), found, uid: key.uid });
      this.revoked = { key, view };
      if (view.value.kind === "stillWorks") {
        this.#wrong = new Set([...this.#wrong, key.uid]);
        this.picked = "";
      }
      this.step = "revoked";
    } catch (thrown) {
      this.problem = toFailure(thrown);
      this.step = "told";
    }
  }

  /** The wrong key was picked: another one is looked for. */
  pickAnother(): void {
    this.step = "told";
  }

  /** Lets go of the value, here and in the agent. */
  async forget(): Promise<void> {
    this.value = "";
    try {
      await call("forget_found_key", null);
    } catch {
      // It is let go of after ten minutes in any case.
    }
  }
}
