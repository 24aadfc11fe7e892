import {
  call,
  newOpId,
  toFailure,
  type EditBase,
  type EditView,
  type ErrorView,
  type ExpiryChoice,
  type DeleteView,
  type KeyDetailsView,
  type KeyListView,
  type KeyView,
  type LostAct,
  type RevokeView,
} from "../ipc";
import type { Dialogs } from "../dialogs.svelte";
import { isNetwork, present } from "../errors";
import type { Toasts } from "../toasts.svelte";
import { short } from "./names";
import { parse } from "./query";
import { countViews, inView, toRow, toRows, type Row, type ViewId } from "./rows";
import { extend, nothing, toggle, toggleAll, type Selection } from "./selection";
import { pressed, sorted, trouble, type Sort, type SortColumn } from "./sort";
import { count } from "./time";

/** What the list needs from the window around it. */
export interface Surroundings {
  toasts: Toasts;
  dialogs: Dialogs;
  /** The connection's name, for questions that name it. */
  connectionName: () => string;
  /** This computer's clock. */
  now: () => number;
  /** Called when the server no longer takes the sign-in. */
  signedOut: () => void;
}

/** Where a revocation stands that this window asked for. */
export type Revocation = "asked" | "unconfirmed";

/** Something that is being done to several keys, one after the other. */
export interface Batch {
  /** "Revoking", "Renewing": said with the count. */
  doing: string;
  done: number;
  of: number;
  stopping: boolean;
}

/** What became of each key of a batch. */
interface Outcome {
  done: KeyView[];
  failed: { key: KeyView; problem: ErrorView }[];
}

/** Something done to a key; answers how it went. */
type Deed = (key: KeyView) => Promise<ErrorView | null>;

/** The key list of one connection: what is in it, what of it is shown, and what is done to it. */
export class Keys {
  readonly connection: string;
  readonly #around: Surroundings;

  list = $state.raw<KeyListView | null>(null);
  rows = $state.raw<readonly Row[]>([]);
  /** Why there is no list at all. */
  problem = $state.raw<ErrorView | null>(null);
  /** The server is being asked. */
  refreshing = $state(false);

  #search = $state("");
  view = $state<ViewId>("all");
  sort = $state.raw<Sort>(trouble);
  selection = $state.raw<Selection>(nothing);
  /** The key that arrows start from and that the details are of. */
  current = $state<string | null>(null);
  /** The details are open where they do not fit beside the list. */
  sheet = $state(false);
  details = $state.raw<KeyDetailsView | null>(null);
  detailsProblem = $state.raw<ErrorView | null>(null);

  revocations = $state.raw<ReadonlyMap<string, Revocation>>(new Map());
  batch = $state.raw<Batch | null>(null);
  /** Moves on each minute: "in 5 days" and `expires:<30d` follow it. */
  minute = $state(0);

  /**
   * Rows as they were before an act of this window changed them: they keep their place, also where
   * view or search would not show them any more. What one just pressed does not jump away, and the
   * next press does not hit its neighbour. It ends with the next refresh, view, search or sorting.
   */
  #before = $state.raw<ReadonlyMap<string, Row>>(new Map());

  #byUid = $derived(new Map(this.rows.map((row) => [row.uid, row])));
  #ordered = $derived(sorted(this.rows, this.sort, this.#before));
  #inView = $derived(
    this.view === "all"
      ? this.#ordered
      : this.#ordered.filter((row) => this.#nowOrBefore(row, (each) => inView(each, this.view))),
  );
  /** The search as understood. */
  query = $derived(parse(this.#search, this.serverNow));
  /** The rows to show, in their order. */
  shown = $derived(
    this.query.empty
      ? this.#inView
      : this.#inView.filter((row) => this.#nowOrBefore(row, this.query.matches)),
  );
  /** Their uids. */
  order = $derived(this.shown.map((row) => row.uid));
  /** Where the current key is in the list, from 0; below 0 when it is not shown. */
  currentPlace = $derived(this.current === null ? -1 : this.order.indexOf(this.current));
  counts = $derived(countViews(this.rows));
  people = $derived(new Set(this.rows.map((row) => row.key.ownerUid || row.key.ownerName)).size);
  /** Ticked keys that are also shown: nothing out of sight is ever acted on. */
  selected = $derived(
    this.selection.uids.size === 0
      ? []
      : this.shown.filter((row) => this.selection.uids.has(row.uid)).map((row) => row.key),
  );
  currentKey = $derived(
    this.current === null ? null : (this.#byUid.get(this.current)?.key ?? null),
  );
  /** The keys an act without a target is about: the ticked ones, else the current one. */
  targets = $derived(
    this.selected.length > 0 ? this.selected : this.currentKey ? [this.currentKey] : [],
  );
  /** What is on screen is older than the network would allow. */
  offline = $derived(this.list?.problem ? isNetwork(this.list.problem.code) : false);
  unconfirmed = $derived(
    this.rows.filter(
      (row) => this.revocations.get(row.uid) === "unconfirmed" || row.flags.has("revoking"),
    ).length,
  );

  #asked = 0;
  /** Readings under way. */
  #reading = 0;
  /** The newest state that the shell has told of. */
  #told = 0;
  /** A refresh was asked for while one was under way. */
  #again = false;
  #detailsAsked = 0;

  constructor(connection: string, around: Surroundings) {
    this.connection = connection;
    this.#around = around;
    this.minute = around.now();
  }

  /** What is searched for, as typed. */
  get search(): string {
    return this.#search;
  }

  set search(typed: string) {
    if (typed === this.#search) return;
    this.#before = new Map();
    this.#search = typed;
  }

  /** Whether a row fits, or did before an act of this window changed it. */
  #nowOrBefore(row: Row, fits: (row: Row) => boolean): boolean {
    if (fits(row)) return true;
    const before = this.#before.get(row.uid);
    return before !== undefined && fits(before);
  }

  /** The server's clock, to the minute. */
  get serverNow(): number {
    return this.minute + (this.list?.clockOffset ?? 0);
  }

  /** Lets "in 5 days" follow the clock. */
  tick(): void {
    this.minute = this.#around.now();
  }

  /** A key of the list. */
  find(uid: string): KeyView | null {
    return this.#byUid.get(uid)?.key ?? null;
  }

  // Reading

  /** Reads what is remembered, without asking the server. */
  reload(): Promise<void> {
    return this.#read(false);
  }

  /** Reads what is remembered, if what is shown is older than a change that was told. */
  async catchUp(revision: number): Promise<void> {
    this.#told = Math.max(this.#told, revision);
    // What is on its way may already hold the change: its end looks again.
    if (this.#reading === 0 && (this.list?.revision ?? -1) < this.#told) await this.#read(false);
  }

  /**
   * Asks the server. Asked for while one is under way, it is done once more after it: the answer
   * that is coming may be older than what a person wants to see.
   */
  async refresh(): Promise<void> {
    if (this.refreshing) {
      this.#again = true;
      return;
    }
    this.refreshing = true;
    try {
      do {
        this.#again = false;
        await this.#read(true);
        this.#before = new Map();
      } while (this.#again);
    } finally {
      this.refreshing = false;
    }
  }

  async #read(refresh: boolean): Promise<void> {
    const asked = ++this.#asked;
    this.#reading++;
    try {
      const list = await call("list_keys", { connection: this.connection, refresh });
      // A later answer is already on screen, or on its way.
      if (asked < this.#asked && !refresh) return;
      if (list.revision >= (this.list?.revision ?? 0)) this.#take(list);
    } catch (thrown) {
      this.problem = toFailure(thrown);
      if (this.problem.code === "unauthorized" || this.problem.code === "notSignedIn") {
        this.#around.signedOut();
      }
      return;
    } finally {
      this.#reading--;
    }
    // One more for all the changes that were told meanwhile, however many.
    if (this.#reading === 0 && (this.list?.revision ?? this.#told) < this.#told) {
      await this.#read(false);
    }
  }

  #take(list: KeyListView): void {
    // Nothing remembered and never asked: an empty memory is not an empty tenant.
    if (list.asOf === null && list.keys.length === 0 && this.list === null) {
      this.problem = list.problem;
      return;
    }
    this.problem = null;
    this.list = list;
    this.minute = this.#around.now();
    this.#setRows(toRows(list.keys, this.#byUid));
    if (list.problem?.code === "unauthorized" || list.problem?.code === "notSignedIn") {
      this.#around.signedOut();
    }
  }

  #setRows(rows: readonly Row[]): void {
    const index = this.currentPlace;
    this.rows = rows;
    const settled = [...this.revocations].filter(([uid]) => {
      const row = this.#byUid.get(uid);
      return row !== undefined && row.key.status !== "revoked";
    });
    if (settled.length !== this.revocations.size) this.revocations = new Map(settled);
    if (this.current === null || !this.#byUid.has(this.current)) {
      // The current key is gone: its neighbour takes over, where the eye already is.
      this.current = this.order[Math.min(Math.max(index, 0), this.order.length - 1)] ?? null;
    }
    if (this.current !== null) void this.loadDetails();
  }

  /** Puts one changed key in its place. */
  put(key: KeyView): void {
    const row = toRow(key);
    const old = this.#byUid.get(key.uid);
    if (old && !this.#before.has(key.uid)) this.#before = new Map(this.#before).set(key.uid, old);
    this.#setRows(
      old ? this.rows.map((each) => (each.uid === key.uid ? row : each)) : [...this.rows, row],
    );
  }

  #drop(uid: string): void {
    this.#setRows(this.rows.filter((row) => row.uid !== uid));
  }

  /** Reads everything known of the current key. */
  async loadDetails(): Promise<void> {
    const uid = this.current;
    const asked = ++this.#detailsAsked;
    if (uid === null) {
      this.details = null;
      return;
    }
    if (this.details?.key.uid !== uid) this.details = null;
    try {
      const details = await call("key_details", { connection: this.connection, uid });
      if (asked !== this.#detailsAsked) return;
      this.details = details;
      this.detailsProblem = null;
    } catch (thrown) {
      if (asked === this.#detailsAsked) this.detailsProblem = toFailure(thrown);
    }
  }

  // Moving and ticking

  /** Makes a key the current one. */
  focus(uid: string): void {
    if (this.current === uid) return;
    this.current = uid;
    void this.loadDetails();
  }

  /** Makes the key so many rows away the current one, and ticks the way there when extending. */
  move(by: number, extending = false): void {
    const from = this.currentPlace;
    this.moveTo(from < 0 ? 0 : from + by, extending);
  }

  /** Makes the key at a place the current one. */
  moveTo(index: number, extending = false): void {
    const uid = this.order[Math.min(Math.max(index, 0), this.order.length - 1)];
    if (uid === undefined) return;
    if (extending) this.selection = extend(this.selection, this.order, this.current ?? uid, uid);
    this.focus(uid);
  }

  /** Ticks or unticks one, or everything up to it. */
  tickKey(uid: string, extending = false): void {
    this.selection = extending
      ? extend(this.selection, this.order, this.current ?? uid, uid)
      : toggle(this.selection, uid);
  }

  /** Ticks everything shown, or nothing. */
  tickAll(): void {
    this.selection = toggleAll(this.selection, this.order);
  }

  /** Unticks everything. */
  tickNothing(): void {
    this.selection = nothing;
  }

  /** Sorts by a column, or turns it round. */
  sortBy(column: SortColumn): void {
    this.#before = new Map();
    this.sort = pressed(this.sort, column);
  }

  /** Shows one of the sidebar's views. */
  show(view: ViewId): void {
    this.#before = new Map();
    this.view = view;
  }

  /** Shows everything again. */
  showAll(): void {
    this.view = "all";
    this.search = "";
  }

  // Revoking

  /** Revokes keys: an own one at once, everything else after one question. */
  revoke(keys: readonly KeyView[]): void {
    const may = keys.filter((key) => key.status !== "revoked" && this.mayUpdate(key));
    if (may.some((key) => key.flags.includes("signsIn"))) {
      this.#keepSignIn("Revoking");
      return;
    }
    const [first] = may;
    if (!first) return;
    if (may.length === 1 && first.mine) {
      void this.#revokeOne(first);
      return;
    }
    this.#around.dialogs.confirm({
      title: may.length === 1 ? `Revoke ${short(first.name)}?` : `Revoke ${may.length} keys?`,
      lines: [
        ...this.about(may),
        "Whatever uses a revoked key stops working. You can re-activate it later.",
      ],
      action: may.length === 1 ? "Revoke" : `Revoke ${may.length} keys`,
      tone: "danger",
      onConfirm: () => void (may.length === 1 ? this.#revokeOne(first) : this.#revokeAll(may)),
    });
  }

  async #revokeOne(key: KeyView): Promise<void> {
    const problem = await this.#sendRevocation(key);
    if (problem === null) {
      this.#around.toasts.show({
        tone: "ok",
        text: `Revoked ${short(key.name)}.`,
        action: { label: "Undo", run: () => void this.#reactivateOne(key) },
      });
      return;
    }
    const unconfirmed = this.revocations.get(key.uid) === "unconfirmed";
    this.#around.toasts.show({
      tone: "bad",
      text: unconfirmed
        ? `Could not confirm the revocation of ${short(key.name)}.`
        : `${short(key.name)} was not revoked. ${present(problem.code).title}.`,
      detail: problem.message,
      action: { label: "Try again", run: () => void this.#revokeOne(key) },
    });
  }

  async #sendRevocation(key: KeyView): Promise<ErrorView | null> {
    const { connection } = this;
    this.#mark(key.uid, "asked");
    let answer: RevokeView;
    try {
      answer = await call("revoke_key", { opId: newOpId(), connection, uid: key.uid });
    } catch (thrown) {
      const problem = toFailure(thrown);
      this.#mark(key.uid, problem.code === "outcomeUnknown" ? "unconfirmed" : null);
      return problem;
    }
    if (answer.kind === "unconfirmed") {
      this.#mark(key.uid, "unconfirmed");
      return answer.problem;
    }
    this.#mark(key.uid, null);
    if (answer.key) this.put(answer.key);
    else await this.reload();
    return null;
  }

  #mark(uid: string, state: Revocation | null): void {
    const next = new Map(this.revocations);
    if (state === null) next.delete(uid);
    else next.set(uid, state);
    this.revocations = next;
  }

  async #revokeAll(keys: readonly KeyView[]): Promise<void> {
    const outcome = await this.#each("Revoking", keys, (key) => this.#sendRevocation(key));
    this.#summarise(
      "Revoked",
      "revoked",
      keys.length,
      outcome,
      (done) => void this.#reactivateAll(done),
    );
  }

  /** Asks again for every revocation that the server has not confirmed. */
  retryRevocations(): void {
    const waiting = this.rows
      .filter((row) => this.revocations.get(row.uid) === "unconfirmed" || row.flags.has("revoking"))
      .map((row) => row.key);
    const [first] = waiting;
    if (!first) return;
    void (waiting.length === 1 ? this.#revokeOne(first) : this.#revokeAll(waiting));
  }

  // Re-activating

  /** Re-activates keys; one that has expired meanwhile is offered a renewal instead. */
  reactivate(keys: readonly KeyView[]): void {
    const may = keys.filter((key) => key.status === "revoked" && this.mayUpdate(key));
    const [first] = may;
    if (!first) return;
    if (may.length === 1) {
      if (this.hasEnded(first))
        this.#around.dialogs.open({ kind: "renew", keys: [first], thenReactivate: true });
      else if (first.mine) void this.#reactivateOne(first);
      else this.#askReactivate(may);
      return;
    }
    this.#askReactivate(may);
  }

  #askReactivate(keys: readonly KeyView[]): void {
    const ended = keys.filter((key) => this.hasEnded(key));
    const [first] = keys;
    if (!first) return;
    this.#around.dialogs.confirm({
      title:
        keys.length === 1
          ? `Re-activate ${short(first.name)}?`
          : `Re-activate ${keys.length} keys?`,
      lines: [
        ...this.about(keys),
        ...(ended.length > 0
          ? [`${count(ended.length, "key")} of these ended meanwhile and need a renewal as well.`]
          : []),
      ],
      action: keys.length === 1 ? "Re-activate" : `Re-activate ${keys.length} keys`,
      tone: "neutral",
      onConfirm: () =>
        void (keys.length === 1 ? this.#reactivateOne(first) : this.#reactivateAll(keys)),
    });
  }

  async #reactivateOne(key: KeyView): Promise<void> {
    const problem = await this.#sendReactivation(key);
    if (problem === null) {
      this.#around.toasts.show({ tone: "ok", text: `Re-activated ${short(key.name)}.` });
    } else if (problem.code === "keyIsExpired") {
      this.#around.dialogs.open({ kind: "renew", keys: [key], thenReactivate: true });
    } else {
      this.#sayProblem(
        `${short(key.name)} was not re-activated.`,
        problem,
        () => void this.#reactivateOne(key),
      );
    }
  }

  async #reactivateAll(keys: readonly KeyView[]): Promise<void> {
    const outcome = await this.#each("Re-activating", keys, (key) => this.#sendReactivation(key));
    this.#summarise("Re-activated", "re-activated", keys.length, outcome);
  }

  async #sendReactivation({ uid }: KeyView): Promise<ErrorView | null> {
    try {
      const { key } = await call("reactivate_key", {
        opId: newOpId(),
        connection: this.connection,
        uid,
      });
      this.put(key);
      return null;
    } catch (thrown) {
      return toFailure(thrown);
    }
  }

  /** True when a key's end has passed by the server's clock, whatever its status. */
  hasEnded(key: KeyView): boolean {
    return (
      key.expires !== null && key.expires <= this.#around.now() + (this.list?.clockOffset ?? 0)
    );
  }

  // Renewing, editing, deleting: called by their dialogs

  /** Opens "Renew API key". */
  askRenew(keys: readonly KeyView[]): void {
    const may = keys.filter((key) => this.mayUpdate(key));
    if (may.length > 0) this.#around.dialogs.open({ kind: "renew", keys: may });
  }

  /** Opens "Edit API key". */
  askEdit(key: KeyView): void {
    if (this.mayUpdate(key)) this.#around.dialogs.open({ kind: "edit", key });
  }

  /** Opens "Delete API key". */
  askDelete(keys: readonly KeyView[]): void {
    const may = keys.filter((key) => key.may.delete);
    if (may.some((key) => key.flags.includes("signsIn"))) this.#keepSignIn("Deleting");
    else if (may.length > 0) this.#around.dialogs.open({ kind: "delete", keys: may });
  }

  /** Moves one key's end. Rejects with a `CallError` for the dialog to show. */
  async renew(opId: string, { uid }: KeyView, expiry: ExpiryChoice): Promise<KeyView> {
    const { key } = await call("renew_key", { opId, connection: this.connection, uid, expiry });
    this.put(key);
    this.#around.toasts.show({ tone: "ok", text: `Renewed ${short(key.name)}.` });
    return key;
  }

  /** Renews a key and makes it work again. Rejects with a `CallError` for the dialog to show. */
  async renewAndReactivate(opId: string, key: KeyView, expiry: ExpiryChoice): Promise<void> {
    const { connection } = this;
    this.put((await call("renew_key", { opId, connection, uid: key.uid, expiry })).key);
    this.put((await call("reactivate_key", { opId: newOpId(), connection, uid: key.uid })).key);
    this.#around.toasts.show({ tone: "ok", text: `Renewed and re-activated ${short(key.name)}.` });
  }

  /** Moves the end of several keys, one after the other, with a count in the list. */
  async renewAll(keys: readonly KeyView[], expiry: ExpiryChoice): Promise<void> {
    const { connection } = this;
    const outcome = await this.#each("Renewing", keys, async ({ uid }) => {
      try {
        this.put((await call("renew_key", { opId: newOpId(), connection, uid, expiry })).key);
        return null;
      } catch (thrown) {
        return toFailure(thrown);
      }
    });
    this.#summarise("Renewed", "renewed", keys.length, outcome);
  }

  /** Changes one key. Rejects with a `CallError` for the dialog to show. */
  async edit(
    opId: string,
    uid: string,
    base: EditBase,
    change: { name: string; description: string; expiry: ExpiryChoice | null },
  ): Promise<EditView> {
    const { connection } = this;
    const answer = await call("edit_key", { opId, connection, uid, base, ...change });
    if (answer.kind === "saved") {
      this.put(answer.key);
      this.#around.toasts.show({ tone: "ok", text: `Saved ${short(answer.key.name)}.` });
    } else {
      this.put(answer.theirs);
    }
    return answer;
  }

  /** Deletes one key for ever. Rejects with a `CallError` for the dialog to show. */
  async remove(opId: string, key: KeyView, typedName: string): Promise<DeleteView> {
    const { connection } = this;
    const answer = await call("delete_key", { opId, connection, uid: key.uid, typedName });
    this.#drop(key.uid);
    this.#around.toasts.show({ tone: "ok", text: `Deleted ${short(key.name)}.` });
    return answer;
  }

  /** Deletes several keys for ever, one after the other, with a count in the list. */
  async removeAll(keys: readonly KeyView[]): Promise<void> {
    const { connection } = this;
    const outcome = await this.#each("Deleting", keys, async ({ uid, name }) => {
      try {
        await call("delete_key", { opId: newOpId(), connection, uid, typedName: name });
        this.#drop(uid);
        return null;
      } catch (thrown) {
        return toFailure(thrown);
      }
    });
    this.#summarise("Deleted", "deleted", keys.length, outcome);
  }

  /** Settles a creation whose answer was lost. */
  async settle(creation: string, act: LostAct): Promise<void> {
    try {
      const { lost } = await call("settle_creation", { opId: newOpId(), creation, act });
      if (this.list) {
        const others = this.list.lostCreations.filter((each) => each.creation !== creation);
        this.list = { ...this.list, lostCreations: lost ? [...others, lost] : others };
      }
      await this.reload();
    } catch (thrown) {
      this.#sayProblem("The lost key could not be settled.", toFailure(thrown));
      throw thrown;
    }
  }

  // Several at once

  /** Stops after the key that is being worked on. */
  stopBatch(): void {
    if (this.batch) this.batch = { ...this.batch, stopping: true };
  }

  async #each(doing: string, keys: readonly KeyView[], deed: Deed): Promise<Outcome> {
    const outcome: Outcome = { done: [], failed: [] };
    if (this.batch) return outcome;
    this.batch = { doing, done: 0, of: keys.length, stopping: false };
    for (const key of keys) {
      if (this.batch.stopping) break;
      const problem = await deed(key);
      if (problem) outcome.failed.push({ key, problem });
      else outcome.done.push(key);
      this.batch = { ...this.batch, done: this.batch.done + 1 };
    }
    this.batch = null;
    this.selection = { ...nothing, uids: new Set(outcome.failed.map(({ key }) => key.uid)) };
    return outcome;
  }

  #summarise(
    did: string,
    done: string,
    asked: number,
    outcome: Outcome,
    undo?: (keys: readonly KeyView[]) => void,
  ): void {
    const worked = outcome.done.length;
    const untouched = asked - worked - outcome.failed.length;
    const [failure] = outcome.failed;
    const text =
      worked === asked
        ? `${did} ${count(worked, "key")}.`
        : `${did} ${worked} of ${count(asked, "key")}.`;
    const left = untouched > 0 ? `Stopped: ${count(untouched, "key")} left as they were.` : null;
    const failed = failure
      ? `Not ${done}: ${outcome.failed.map(({ key }) => short(key.name)).join(", ")}. ${failure.problem.message}`
      : null;
    this.#around.toasts.show({
      tone: failure ? "bad" : "ok",
      text,
      detail: [failed, left].filter((line) => line !== null).join(" ") || undefined,
      action: undo && worked > 0 ? { label: "Undo", run: () => undo(outcome.done) } : undefined,
    });
  }

  // Words and rights

  /** Whether the caller may change a key. */
  mayUpdate(key: KeyView): boolean {
    return key.may.update;
  }

  /** Key, owner and connection of a question, one line each. */
  about(keys: readonly KeyView[]): string[] {
    const owners = new Set(keys.map((key) => key.ownerName || "an unknown person"));
    const names = keys.slice(0, 5).map((key) => short(key.name));
    const more = keys.length - names.length;
    return [
      `${keys.length === 1 ? "Key" : "Keys"}: ${names.join(", ")}${more > 0 ? ` and ${more} more` : ""}`,
      `${owners.size === 1 ? "Owner" : "Owners"}: ${[...owners].slice(0, 5).join(", ")}${owners.size > 5 ? ` and ${owners.size - 5} more` : ""}`,
      `Connection: ${this.#around.connectionName()}`,
    ];
  }

  #keepSignIn(doing: "Revoking" | "Deleting"): void {
    this.#around.dialogs.open({
      kind: "notice",
      title: `This key signs Palette Keys in to ${this.#around.connectionName()}`,
      lines: [
        `${doing} it would lock this app out, so nothing was done.`,
        "Sign in with another key first; then this one can go.",
      ],
    });
  }

  #sayProblem(text: string, problem: ErrorView, again?: () => void): void {
    this.#around.toasts.show({
      tone: "bad",
      text: `${text} ${present(problem.code).title}.`,
      detail: problem.message,
      action: again ? { label: "Try again", run: again } : undefined,
    });
  }
}
