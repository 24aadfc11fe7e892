import { call, newOpId, toFailure } from "../ipc";
import type { ErrorView, Grace, RollAct, RollView } from "../ipc";

/** What is being done with a running roll. */
export type Doing = "extend" | "endNow" | "cancel" | "continue";

/** The three buttons of a running roll, and "Try again". */
export class RunningRoll {
  busy = $state<Doing | null>(null);
  problem = $state.raw<ErrorView | null>(null);
  readonly #done: () => Promise<void>;

  constructor(done: () => Promise<void>) {
    this.#done = done;
  }

  /** The old key goes on for so long from now. */
  extend(roll: RollView, grace: Grace): Promise<boolean> {
    return this.#act(roll, { kind: "extend", grace });
  }

  /** The old key is revoked now. */
  endNow(roll: RollView): Promise<boolean> {
    return this.#act(roll, { kind: "endNow" });
  }

  /** The new key is revoked and the old one goes on as it was. */
  cancel(roll: RollView): Promise<boolean> {
    return this.#act(roll, { kind: "cancel" });
  }

  /** Goes on where it stands. */
  tryAgain(roll: RollView): Promise<boolean> {
    return this.#act(roll, { kind: "continue" });
  }

  /** True when it was done. */
  async #act({ roll }: RollView, act: RollAct): Promise<boolean> {
    if (this.busy) return false;
    this.busy = act.kind;
    this.problem = null;
    try {
      const answer = await call("act_on_roll", { opId: newOpId(), roll, act });
      return !answer.roll?.problem;
    } catch (thrown) {
      this.problem = toFailure(thrown);
      return false;
    } finally {
      await this.#done();
      this.busy = null;
    }
  }
}
