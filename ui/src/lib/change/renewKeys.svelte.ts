import { newOpId, toFailure } from "../ipc";
import type { ErrorView, KeyView, Settings } from "../ipc";
import type { Plan } from "../bulk/plan";
import { ExpiryField } from "../create/expiryField.svelte";
import type { Keys } from "../keys/keys.svelte";

/** The list the keys are in: changes go through it, so that it shows them. */
export type RenewedList = Pick<
  Keys,
  "connection" | "renew" | "renewAndReactivate" | "renewAll" | "plan"
>;

/** What is renewed. */
export interface RenewStart {
  keys: RenewedList;
  renewed: readonly KeyView[];
  settings: Settings;
  /** A revoked key that has expired needs both. */
  thenReactivate: boolean;
}

/** "Renew API key": a new end, counted from now, for one key or several. */
export class RenewKeys {
  readonly expiry: ExpiryField;
  /** What becomes of each of several; none for a single key. */
  readonly plan: Plan | null;
  /** Put revoked ones back into service as well. */
  reactivate = $state(false);
  busy = $state(false);
  problem = $state.raw<ErrorView | null>(null);
  readonly #start: RenewStart;
  readonly #done: () => void;

  constructor(start: RenewStart, done: () => void) {
    this.#start = start;
    this.#done = done;
    this.plan = start.renewed.length > 1 ? start.keys.plan("renew", start.renewed) : null;
    this.reactivate = start.thenReactivate;
    this.expiry = new ExpiryField({
      connection: start.keys.connection,
      days: start.settings.defaultExpirationDays,
      longest: start.settings.longestLifeDays,
    });
  }

  /** The one key; none when there are several. */
  get single(): KeyView | null {
    const { renewed } = this.#start;
    return renewed.length === 1 ? (renewed[0] ?? null) : null;
  }

  /** Those that get a new end. */
  get renewed(): readonly KeyView[] {
    return this.plan?.will ?? this.#start.renewed;
  }

  /** A new end alone does not make these work. */
  get revoked(): readonly KeyView[] {
    return this.renewed.filter(({ status }) => status === "revoked");
  }

  /** The chosen end is earlier than the one they have. */
  get shortened(): readonly KeyView[] {
    const { end } = this.expiry;
    if (!end) return [];
    return this.renewed.filter(({ expires }) => expires === null || expires > end.at);
  }

  get expiryError(): ErrorView | null {
    if (this.expiry.problem) return this.expiry.problem;
    return this.problem?.code.startsWith("expiry") ? this.problem : null;
  }

  /** What belongs to no field. */
  get generalProblem(): ErrorView | null {
    return this.problem?.code.startsWith("expiry") ? null : this.problem;
  }

  /** Another end was chosen: what was said of the last one no longer holds. */
  endChosen(): void {
    if (this.problem?.code.startsWith("expiry")) this.problem = null;
  }

  async renew(): Promise<void> {
    if (this.busy || this.renewed.length === 0) return;
    this.busy = true;
    this.problem = null;
    const { keys, thenReactivate } = this.#start;
    const reactivate = this.reactivate && (thenReactivate || this.revoked.length > 0);
    try {
      if (this.expiry.isCustom && !(await this.expiry.resolve())) return;
      const expiry = this.expiry.choice;
      if (!expiry) return;
      const { single } = this;
      if (!single) {
        // The list itself counts them off and can be stopped.
        void keys.renewAll(this.renewed, expiry, reactivate);
      } else if (reactivate) {
        await keys.renewAndReactivate(newOpId(), single, expiry);
      } else {
        await keys.renew(newOpId(), single, expiry);
      }
      this.#done();
    } catch (thrown) {
      this.problem = toFailure(thrown);
    } finally {
      this.busy = false;
    }
  }
}
