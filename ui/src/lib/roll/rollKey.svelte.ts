import { call, newOpId, toFailure } from "../ipc";
import type {
  ErrorCode,
  ErrorView,
  Grace,
  HeldView,
  KeyView,
  RollOfferView,
  RollView,
  Settings,
} from "../ipc";
import { ExpiryField } from "../create/expiryField.svelte";
import type { Keys } from "../keys/keys.svelte";

/** The list the key is in: the roll is told by it while it runs. */
export type RolledList = Pick<Keys, "connection" | "reload" | "roll">;

/** What is rolled. */
export interface RollStart {
  keys: RolledList;
  old: KeyView;
  settings: Settings;
}

const OF_NAME: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "nameEmpty",
  "nameTooLong",
  "nameHasControlCharacters",
  "nameTaken",
  "nameOutsidePolicy",
]);

/** How a roll ended for the dialog. */
export type RollResult =
  | { kind: "rolling"; roll: RollView }
  /** The old key is revoked, or was over already. */
  | { kind: "over" };

/** "Roll API key": a new key takes the place of an old one, which goes on for a while. */
export class RollKey {
  readonly expiry: ExpiryField;
  name = $state("");
  grace = $state<Grace>("week");
  offer = $state.raw<RollOfferView | null>(null);
  busy = $state(false);
  problem = $state.raw<ErrorView | null>(null);
  /** Something stands in the way of a roll that was begun. */
  stuck = $state.raw<RollView | null>(null);
  result = $state.raw<RollResult | null>(null);
  /** Names the roll once it is begun; none again when that came to nothing. */
  opId = $state<string | null>(null);
  readonly #start: RollStart;
  readonly #handOver: (held: HeldView) => void;
  #named = false;

  constructor(start: RollStart, handOver: (held: HeldView) => void) {
    this.#start = start;
    this.#handOver = handOver;
    this.name = start.old.name;
    this.expiry = new ExpiryField({
      connection: start.keys.connection,
      days: start.settings.defaultExpirationDays,
      longest: start.settings.longestLifeDays,
    });
    void this.#ask();
  }

  /** How far the roll got; none before it is begun. */
  get running(): RollView | null {
    return this.opId === null ? null : this.#start.keys.roll(this.opId);
  }

  get nameError(): string | null {
    return this.problem && OF_NAME.has(this.problem.code) ? this.problem.message : null;
  }

  get expiryError(): ErrorView | null {
    if (this.expiry.problem) return this.expiry.problem;
    return this.problem?.code.startsWith("expiry") ? this.problem : null;
  }

  /** What belongs to no field. */
  get generalProblem(): ErrorView | null {
    const { problem } = this;
    if (!problem || OF_NAME.has(problem.code) || problem.code.startsWith("expiry")) return null;
    return problem;
  }

  /** "8 of 20 keys used afterwards", and whether there is room for one more. */
  get room(): { text: string; isFull: boolean } {
    const { offer } = this;
    if (!offer) return { text: "", isFull: false };
    if (offer.quota === null) return { text: "Limit unknown", isFull: false };
    const { ownerKeys, quota } = offer;
    if (ownerKeys >= quota) return { text: `All ${quota} keys are used`, isFull: true };
    return { text: `${ownerKeys + 1} of ${quota} keys used afterwards`, isFull: false };
  }

  /** The name was typed: the one that is offered does not overwrite it. */
  named(): void {
    this.#named = true;
    if (this.nameError) this.problem = null;
  }

  /** Another end was chosen: what was said of the last one no longer holds. */
  endChosen(): void {
    if (this.problem?.code.startsWith("expiry")) this.problem = null;
  }

  async roll(): Promise<void> {
    if (this.busy || this.result) return;
    this.busy = true;
    this.problem = null;
    try {
      if (this.expiry.isCustom && !(await this.expiry.resolve())) return;
      const expiry = this.expiry.choice;
      if (!expiry) return;
      const { keys, old } = this.#start;
      // One press, one id: a second call with it joins the first instead of making another key.
      const opId = newOpId();
      this.opId = opId;
      const { roll } = await call("roll_key", {
        opId,
        connection: keys.connection,
        uid: old.uid,
        name: this.name.trim(),
        expiry,
        grace: this.grace,
      });
      await this.#take(roll);
    } catch (thrown) {
      this.problem = toFailure(thrown);
      this.opId = null;
    } finally {
      this.busy = false;
    }
  }

  /** Goes on where it stands. */
  tryAgain(): Promise<void> {
    return this.#act("continue");
  }

  /** Revokes the new key; the old one goes on as it was. True when that is done. */
  async cancel(): Promise<boolean> {
    await this.#act("cancel");
    return this.result !== null;
  }

  /** The old key is revoked now. */
  endNow(): Promise<void> {
    return this.#act("endNow");
  }

  async #act(kind: "continue" | "cancel" | "endNow"): Promise<void> {
    const { stuck } = this;
    if (this.busy || !stuck) return;
    this.busy = true;
    this.problem = null;
    try {
      const request = { opId: newOpId(), roll: stuck.roll, act: { kind } };
      await this.#take((await call("act_on_roll", request)).roll);
    } catch (thrown) {
      this.problem = toFailure(thrown);
    } finally {
      this.busy = false;
    }
  }

  async #take(roll: RollView | null): Promise<void> {
    await this.#start.keys.reload();
    this.stuck = null;
    if (roll === null) {
      this.result = { kind: "over" };
    } else if (roll.held) {
      this.#handOver(roll.held);
    } else if (roll.problem) {
      this.stuck = roll;
    } else {
      this.result = { kind: "rolling", roll };
    }
  }

  async #ask(): Promise<void> {
    const { keys, old } = this.#start;
    try {
      this.offer = await call("roll_offer", { connection: keys.connection, uid: old.uid });
      if (!this.#named) this.name = this.offer.name;
    } catch (thrown) {
      this.problem = toFailure(thrown);
    }
  }
}
