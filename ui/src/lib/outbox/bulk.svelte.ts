import type { KeyView, OutboxAction, OutboxEndView, OutboxItemView, OutboxView } from "../ipc";
import type { Outbox, Target } from "./outbox.svelte";

/** What became of each key of a bulk act. */
export interface BulkOutcome {
  /** Confirmed by the server. */
  done: { key: KeyView; after: KeyView | null }[];
  /** Not confirmed; they go on being tried without anybody watching. */
  open: { key: KeyView; item: OutboxItemView }[];
  /** Taken back before they were sent. */
  stopped: KeyView[];
  /** Not on record any more, and no end was heard. */
  lost: KeyView[];
}

/** So long may the end of a record stay away that is not on record any more. */
const LOST_AFTER = 3_000;
/** Nothing at all moves for so long: the rest goes on without a bar on screen. */
const QUIET_AFTER = 20_000;
/** A second failure is not a hiccup any more. */
const TRIES = 2;

/**
 * Several keys on their way through the outbox, counted off. It ends when each one is confirmed,
 * taken back or stuck: what is stuck goes on in the outbox, which is where it is looked after.
 */
export class Bulk {
  #done = $state(0);
  stopping = $state(false);
  readonly of: number;

  readonly #outbox: Outbox;
  readonly #connection: string;
  readonly #action: OutboxAction;
  readonly #pending: Map<string, KeyView>;
  readonly #outcome: BulkOutcome = { done: [], open: [], stopped: [], lost: [] };
  #view: OutboxView | null = null;
  #finish: () => void = () => {};
  #lostTimer: ReturnType<typeof setTimeout> | null = null;
  #quietTimer: ReturnType<typeof setTimeout> | null = null;
  #last = "";

  constructor(outbox: Outbox, connection: string, action: OutboxAction, keys: readonly KeyView[]) {
    this.#outbox = outbox;
    this.#connection = connection;
    this.#action = action;
    this.#pending = new Map(keys.map((key) => [key.uid, key]));
    this.of = this.#pending.size;
  }

  /** How many have ended. */
  get done(): number {
    return this.#done;
  }

  /** Whether it waits for this act on this key. */
  waitsFor(action: OutboxAction, uid: string): boolean {
    return action === this.#action && this.#pending.has(uid);
  }

  /** Writes them all down and waits for the end. Rejects with a `CallError`: then none was. */
  async run(): Promise<BulkOutcome> {
    const targets: Target[] = [...this.#pending.keys()].map((uid) => ({
      connection: this.#connection,
      uid,
      action: this.#action,
    }));
    const unclaim = this.#outbox.claim(targets, (end) => this.#ended(end));
    const deaf = this.#outbox.onChange(() => {
      if (this.#view) this.#judge(this.#outbox.view);
    });
    try {
      const uids = targets.map(({ uid }) => uid);
      const view = await this.#outbox.add(this.#connection, this.#action, uids);
      await new Promise<void>((finish) => {
        this.#finish = finish;
        this.#judge(view);
        if (this.stopping) this.stop();
      });
    } finally {
      unclaim();
      deaf();
      if (this.#lostTimer) clearTimeout(this.#lostTimer);
      if (this.#quietTimer) clearTimeout(this.#quietTimer);
    }
    for (const { key, item } of this.#waiting()) {
      if (item) this.#outcome.open.push({ key, item });
      else this.#outcome.lost.push(key);
    }
    return this.#outcome;
  }

  /** Takes back what was not sent yet; what was sent is waited for. */
  stop(): void {
    this.stopping = true;
    // Not written down yet: stopped as soon as it is.
    if (!this.#view) return;
    const unsent = this.#waiting().flatMap(({ item }) =>
      item && item.attempts === 0 ? [item.record] : [],
    );
    if (unsent.length > 0) void this.#outbox.stop(unsent);
  }

  #ended(end: OutboxEndView): void {
    const key = this.#pending.get(end.item.keyUid);
    if (!key) return;
    this.#pending.delete(key.uid);
    this.#done++;
    if (end.end.kind === "givenUp") this.#outcome.stopped.push(key);
    else this.#outcome.done.push({ key, after: end.key });
    if (this.#view) this.#judge(this.#view);
  }

  #waiting(): { key: KeyView; item: OutboxItemView | null }[] {
    const items = new Map(
      (this.#view?.items ?? [])
        .filter((item) => item.connection === this.#connection && item.action === this.#action)
        .map((item) => [item.keyUid, item]),
    );
    return [...this.#pending.values()].map((key) => ({ key, item: items.get(key.uid) ?? null }));
  }

  #judge(view: OutboxView): void {
    this.#view = view;
    const waiting = this.#waiting();
    if (waiting.every(({ item }) => item !== null && isStuck(item))) {
      this.#finish();
      return;
    }
    this.#watchLost(waiting.some(({ item }) => item === null));
    const tries = waiting.reduce((sum, { item }) => sum + (item?.attempts ?? 0), 0);
    const now = `${waiting.length}/${tries}`;
    if (now === this.#last) return;
    this.#last = now;
    if (this.#quietTimer) clearTimeout(this.#quietTimer);
    this.#quietTimer = setTimeout(() => this.#finish(), QUIET_AFTER);
  }

  /** Ends and changes come on their own ways: a record may be gone a moment before its end. */
  #watchLost(missing: boolean): void {
    if (missing === (this.#lostTimer !== null)) return;
    if (this.#lostTimer) {
      clearTimeout(this.#lostTimer);
      this.#lostTimer = null;
    } else {
      this.#lostTimer = setTimeout(() => this.#giveUpLost(), LOST_AFTER);
    }
  }

  #giveUpLost(): void {
    this.#lostTimer = null;
    for (const { key, item } of this.#waiting()) {
      if (item) continue;
      this.#pending.delete(key.uid);
      this.#outcome.lost.push(key);
      this.#done++;
    }
    if (this.#view) this.#judge(this.#view);
  }
}

/** It is not about to end by itself. A pause the server asked for is no failure. */
export function isStuck(item: OutboxItemView): boolean {
  if (item.state === "blocked") return true;
  return item.problem !== null && item.problem.code !== "rateLimited" && item.attempts >= TRIES;
}
