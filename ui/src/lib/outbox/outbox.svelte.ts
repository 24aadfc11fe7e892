import {
  call,
  newOpId,
  toFailure,
  type ErrorView,
  type OutboxAction,
  type OutboxEndView,
  type OutboxItemView,
  type OutboxView,
} from "../ipc";

/** What a record is about: one act on one key of one connection. */
export interface Target {
  connection: string;
  uid: string;
  action: OutboxAction;
}

/** Hears how a record ended, instead of the window's own words about it. */
export type Claim = (end: OutboxEndView) => void;

/** What hears of it when records leave. */
export interface OutboxListeners {
  /** Every record that left, some at a time: lists follow. */
  left: (ends: readonly OutboxEndView[]) => void;
  /** Those that nobody in this window waited for: asked from the tray, or long ago. */
  unclaimed: (ends: readonly OutboxEndView[]) => void;
}

/** Ends that arrive together are told together. */
const GATHER = 150;
const GATHER_WORDS = 800;
/** An end may arrive after the answer that already said it. */
const LATE = 10_000;

const nothing: OutboxView = { items: [], damaged: [], sentElsewhere: false };

function nameOf({ connection, uid, action }: Target): string {
  return `${action}/${connection}/${uid}`;
}

function targetOf(item: OutboxItemView): Target {
  return { connection: item.connection, uid: item.keyUid, action: item.action };
}

/** What a person confirmed and the server has not: as core holds it, whoever asked. */
export class Outbox {
  view = $state.raw<OutboxView>(nothing);
  /** What was asked in this window and is not answered yet. */
  asking = $state.raw<ReadonlySet<string>>(new Set());

  #byTarget = $derived(
    new Map(this.view.items.map((item) => [nameOf(targetOf(item)), item] as const)),
  );
  /** The records worth a word: without those whose first answer is still on its way. */
  waiting = $derived(
    this.view.items.filter((item) => item.problem || !this.asking.has(nameOf(targetOf(item)))),
  );
  /** Records that only a person can help on. */
  blocked = $derived(this.view.items.filter(({ state }) => state === "blocked"));
  /** Records that the disk refused. */
  unrecorded = $derived(this.view.items.filter(({ recorded }) => !recorded));

  readonly #listeners: OutboxListeners;
  readonly #changed = new Set<() => void>();
  readonly #claims = new Map<string, Claim>();
  /** Targets whose end was said already, until when it is kept quiet. */
  readonly #said = new Map<string, number>();
  /** Counts what was heard, so that a slow answer does not overwrite newer news. */
  #heard = 0;
  #left: OutboxEndView[] = [];
  #unclaimed: OutboxEndView[] = [];

  constructor(listeners: OutboxListeners) {
    this.#listeners = listeners;
  }

  get empty(): boolean {
    return this.view.items.length === 0 && this.view.damaged.length === 0;
  }

  /** The open record of one act. */
  find(target: Target): OutboxItemView | null {
    return this.#byTarget.get(nameOf(target)) ?? null;
  }

  /** The open record of a key; that of a deletion where there are both. */
  of(connection: string, uid: string): OutboxItemView | null {
    return (
      this.find({ connection, uid, action: "delete" }) ??
      this.find({ connection, uid, action: "revoke" })
    );
  }

  /** True while an act asked in this window has no answer. */
  isAsking(target: Target): boolean {
    return this.asking.has(nameOf(target));
  }

  // Hearing

  /** Reads everything. */
  async load(): Promise<void> {
    await this.#ask(() => call("outbox", null));
  }

  /** Takes what the shell says. */
  take(view: OutboxView): void {
    this.#heard++;
    this.#put(view);
  }

  /** Takes the end of a record. */
  ended(end: OutboxEndView): void {
    const name = nameOf(targetOf(end.item));
    if (this.#left.length === 0) setTimeout(() => this.#tellLeft(), GATHER);
    this.#left.push(end);
    const claim = this.#claims.get(name);
    if (claim) {
      claim(end);
      return;
    }
    const quietUntil = this.#said.get(name);
    this.#said.delete(name);
    if (quietUntil !== undefined && performance.now() < quietUntil) return;
    if (this.#unclaimed.length === 0) setTimeout(() => this.#tellUnclaimed(), GATHER_WORDS);
    this.#unclaimed.push(end);
  }

  /** Calls back at every change of the view, until the returned function is called. */
  onChange(hear: () => void): () => void {
    this.#changed.add(hear);
    return () => void this.#changed.delete(hear);
  }

  #put(view: OutboxView): void {
    this.view = view;
    for (const hear of [...this.#changed]) hear();
  }

  #tellLeft(): void {
    const ends = this.#left;
    this.#left = [];
    this.#listeners.left(ends);
  }

  #tellUnclaimed(): void {
    const ends = this.#unclaimed;
    this.#unclaimed = [];
    this.#listeners.unclaimed(ends);
  }

  /**
   * Takes the answer unless something newer was heard meanwhile; core tells of every change.
   * Returns the newer of both.
   */
  async #ask(ask: () => Promise<OutboxView>): Promise<OutboxView> {
    const heard = this.#heard;
    const view = await ask();
    if (heard === this.#heard) this.#put(view);
    return this.view;
  }

  // Acting

  /**
   * Does something whose end is said by the caller: what ends meanwhile goes to `claim`, and an end
   * that arrives after it was said is kept quiet. `act` answers whether it said the end.
   */
  async asked(target: Target, claim: Claim, act: () => Promise<boolean>): Promise<void> {
    const name = nameOf(target);
    let heard = false;
    const done = this.claim([target], (end) => {
      heard = true;
      claim(end);
    });
    this.asking = new Set(this.asking).add(name);
    try {
      if ((await act()) && !heard) this.#said.set(name, performance.now() + LATE);
    } finally {
      const asking = new Set(this.asking);
      asking.delete(name);
      this.asking = asking;
      done();
    }
  }

  /** Hears the ends of these acts until the returned function is called. */
  claim(targets: readonly Target[], claim: Claim): () => void {
    const names = targets.map(nameOf);
    for (const name of names) {
      this.#claims.set(name, claim);
      this.#said.delete(name);
    }
    return () => {
      for (const name of names) if (this.#claims.get(name) === claim) this.#claims.delete(name);
    };
  }

  /** Writes down several at once. Rejects with a `CallError`: then none was. */
  add(connection: string, action: OutboxAction, uids: string[]): Promise<OutboxView> {
    const opId = newOpId();
    return this.#ask(() => call("add_to_outbox", { opId, connection, action, uids }));
  }

  /** Tries one record now, or all of them. */
  async retry(record: string | null): Promise<ErrorView | null> {
    return this.#attempt(() => call("retry_outbox", { record }));
  }

  /** Gives records up although the keys may still work: a person was asked. */
  async giveUp(records: string[]): Promise<ErrorView | null> {
    const opId = newOpId();
    return this.#attempt(() => call("give_up", { opId, records, unsentOnly: false }));
  }

  /** Takes those of these records back that were never sent. */
  async stop(records: string[]): Promise<ErrorView | null> {
    const opId = newOpId();
    return this.#attempt(() => call("give_up", { opId, records, unsentOnly: true }));
  }

  async #attempt(ask: () => Promise<OutboxView>): Promise<ErrorView | null> {
    try {
      await this.#ask(ask);
      return null;
    } catch (thrown) {
      return toFailure(thrown);
    }
  }
}
