import {
  call,
  newOpId,
  toFailure,
  type Act,
  type BulkAct,
  type BulkEnd,
  type BulkRunView,
  type BulkSkip,
  type BulkView,
  type EditBase,
  type EditView,
  type ErrorView,
  type ExpiryChoice,
  type KeyDetailsView,
  type KeyListView,
  type KeyView,
  type LostAct,
  type MoveView,
  type OutboxAction,
  type OutboxEndView,
  type OutboxItemView,
  type RevokeView,
  type RollView,
  type SavedView,
} from "../ipc";
import { leftFor, planOf, type BulkKind, type Plan } from "../bulk/plan";
import { Undoing } from "../change/undoing.svelte";
import type { Dialogs } from "../dialogs.svelte";
import { present } from "../errors";
import { Bulk, type BulkOutcome } from "../outbox/bulk.svelte";
import type { Outbox, Target } from "../outbox/outbox.svelte";
import type { Toasts } from "../toasts.svelte";
import { nameAndUid, person, short } from "./names";
import { Haystacks } from "./haystack";
import { parse } from "./query";
import { countViews, inView, merged, toRow, toRows, views, type Row, type ViewId } from "./rows";
import { extend, nothing, toggle, toggleAll, type Selection } from "./selection";
import { pressed, Sorter, trouble, type Sort, type SortColumn } from "./sort";
import { clockToSecond } from "./time";
import { count } from "../numbers";

/** What the list needs from the window around it. */
export interface Surroundings {
  toasts: Toasts;
  dialogs: Dialogs;
  outbox: Outbox;
  /** The connection's name, for questions that name it. */
  connectionName: () => string;
  /** Whether the caller may make keys for other people. */
  mayCreateForOthers: () => boolean;
  /** This computer's clock. */
  now: () => number;
  /** Days before its end from which on a key is "Expiring". */
  leadDays: () => number;
  /** Called when the server no longer takes the sign-in. */
  signedOut: () => void;
}

/** Something that is being done to several keys. */
export interface Batch {
  /** "Revoking", "Renewing": said with the count. */
  doing: string;
  done: number;
  of: number;
  stopping: boolean;
}

/** The words of what goes through the outbox. */
const outboxWords: Record<OutboxAction, { doing: string; did: string; act: string }> = {
  revoke: { doing: "Revoking", did: "Revoked", act: "revocation" },
  delete: { doing: "Deleting", did: "Deleted", act: "deletion" },
};

/** The words of what core does to several keys. */
const bulkWords: Record<BulkAct["kind"], { doing: string; did: string; none: string }> = {
  renew: { doing: "Renewing", did: "Renewed", none: "No key was renewed." },
  reactivate: {
    doing: "Re-activating",
    did: "Re-activated",
    none: "No key was re-activated.",
  },
  move: { doing: "Moving", did: "Moved the end of", none: "No end was moved." },
  restore: {
    doing: "Putting back the end of",
    did: "Put back the end of",
    none: "No end was put back.",
  },
};

/** Why core left a key out. */
const skipWords: Record<BulkSkip, string> = {
  signsIn: "signs Palette Keys in",
  rolling: "part of a roll",
  changedSince: "its end was changed since",
  endPassed: "the end it had has passed",
};

/** What became of each key of a batch. */
interface Outcome {
  done: KeyView[];
  failed: { key: KeyView; problem: ErrorView }[];
}

/** Something done to a key; answers how it went. */
type Deed = (key: KeyView) => Promise<ErrorView | null>;

const DAY = 86_400_000;

/** No rows. Always the same, so that having none again is no change, and nothing is sorted anew. */
const none: ReadonlyMap<string, Row> = new Map();

/** The rows that fit, or did before an act of this window changed them. */
function fitting(
  rows: readonly Row[],
  before: ReadonlyMap<string, Row>,
  fits: (row: Row) => boolean,
): readonly Row[] {
  if (before.size === 0) return rows.filter(fits);
  return rows.filter((row) => {
    const old = before.get(row.uid);
    return fits(row) || (old !== undefined && fits(old));
  });
}

/** The key list of one connection: what is in it, what of it is shown, and what is done to it. */
export class Keys {
  readonly connection: string;
  readonly #around: Surroundings;
  readonly #undoing: Undoing;

  list = $state.raw<KeyListView | null>(null);
  rows = $state.raw<readonly Row[]>([]);
  /** Why there is no list at all. */
  problem = $state.raw<ErrorView | null>(null);
  /** The server is being asked. */
  refreshing = $state(false);

  #search = $state("");
  view = $state<ViewId>("all");
  /** Only these keys are shown: what a review or a group act is about. */
  only = $state.raw<{ label: string; uids: ReadonlySet<string> } | null>(null);
  sort = $state.raw<Sort>(trouble);
  selection = $state.raw<Selection>(nothing);
  /** The key that arrows start from and that the details are of. */
  current = $state<string | null>(null);
  /** The details are open where they do not fit beside the list. */
  sheet = $state(false);
  /** How far down the list was, in pixels, for when it is shown again. */
  scrolled = 0;
  details = $state.raw<KeyDetailsView | null>(null);
  detailsProblem = $state.raw<ErrorView | null>(null);

  /** What is done to several keys one after the other, by this window. */
  #series = $state.raw<Batch | null>(null);
  /** What core does to several keys, as far as it said. */
  #run = $state.raw<BulkRunView | null>(null);
  /** What several keys go through the outbox for, each for itself: none waits for another. */
  #bulks = $state.raw<readonly { doing: string; bulk: Bulk }[]>([]);
  /** The one that is counted on the screen. */
  #bulk = $derived(this.#bulks.at(-1) ?? null);
  /** What is being done to several keys, with its count. */
  batch = $derived<Batch | null>(
    this.#bulk
      ? {
          doing: this.#bulk.doing,
          done: this.#bulk.bulk.done,
          of: this.#bulk.bulk.of,
          stopping: this.#bulk.bulk.stopping,
        }
      : this.#run
        ? {
            doing: bulkWords[this.#run.act.kind].doing,
            done: this.#run.done,
            of: this.#run.of,
            stopping: this.#run.stopping,
          }
        : this.#series,
  );
  /** What is being done goes on by itself, also after the app has ended. */
  batchIsOnRecord = $derived(this.#bulk !== null);
  /** Moves on each minute: "in 5 days" and `expires:<30d` follow it. */
  minute = $state(0);

  /**
   * Rows as they were before an act of this window changed them: they keep their place, also where
   * view or search would not show them any more. What one just pressed does not jump away, and the
   * next press does not hit its neighbour. It ends with the next refresh, view, search or sorting.
   */
  #before = $state.raw(none);

  #byUid = $derived(new Map(this.rows.map((row) => [row.uid, row])));
  readonly #sorter = new Sorter();
  #ordered = $derived(this.#sorter.sorted(this.rows, this.sort, this.#before));
  #among = $derived(
    this.only === null
      ? this.#ordered
      : this.#ordered.filter(({ uid }) => this.only?.uids.has(uid)),
  );
  #inView = $derived(
    this.view === "all"
      ? this.#among
      : fitting(this.#among, this.#before, (row) => inView(row, this.view)),
  );
  readonly #haystacks = new Haystacks();
  /** The search as understood. */
  query = $derived(parse(this.#search, this.serverNow));
  /** The rows to show, in their order. */
  shown = $derived(
    this.query.empty
      ? this.#inView
      : this.#before.size === 0
        ? this.query.select(this.#inView, this.#haystacks)
        : fitting(this.#inView, this.#before, this.query.matches),
  );
  /** Their uids. */
  order = $derived(this.shown.map((row) => row.uid));
  /** Where the current key is in the list, from 0; below 0 when it is not shown. */
  currentPlace = $derived.by(() => {
    const row = this.current === null ? undefined : this.#byUid.get(this.current);
    return row ? this.shown.indexOf(row) : -1;
  });
  /** The current key is not shown: view or search leave it out. */
  hidesCurrent = $derived(this.current !== null && this.currentPlace < 0);
  counts = $derived(countViews(this.rows));
  /** Everybody who owns a key here, also those who are gone; the review counts the people there are. */
  ownerCount = $derived(
    new Set(this.rows.map((row) => row.key.ownerUid || row.key.ownerName)).size,
  );
  /** The names of the owners, for suggestions. */
  owners = $derived(
    [...new Set(this.rows.map((row) => row.key.ownerName))].filter((name) => name !== "").sort(),
  );
  /** Ticked keys that are also shown: nothing out of sight is ever acted on. */
  selected = $derived(
    this.selection.uids.size === 0
      ? []
      : this.shown.filter((row) => this.selection.uids.has(row.uid)).map((row) => row.key),
  );
  currentKey = $derived(
    this.current === null ? null : (this.#byUid.get(this.current)?.key ?? null),
  );
  /**
   * The keys an act without a target is about: the ticked ones, else the current one. Where a search
   * hides that one, it is about none: nobody would expect what they cannot see.
   */
  targets = $derived(
    this.selected.length > 0
      ? this.selected
      : this.currentKey && this.currentPlace >= 0
        ? [this.currentKey]
        : [],
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
    this.#undoing = new Undoing({
      toasts: around.toasts,
      dialogs: around.dialogs,
      changed: (of, key) => {
        if (of === connection) this.put(key);
      },
    });
    this.minute = around.now();
  }

  /** Somebody is about to type: what takes a moment is done before the first letter. */
  readySearch(): void {
    this.#haystacks.take(this.#inView);
    void this.owners;
    // Code that has run before is quicker: 6 ms of the first letter with 6,000 keys.
    for (const text of ["ci", "owner:a", "status:a", "is:never"])
      parse(text, this.serverNow).select(this.#inView, this.#haystacks);
  }

  /** What is searched for, as typed. */
  get search(): string {
    return this.#search;
  }

  set search(typed: string) {
    if (typed === this.#search) return;
    this.#before = none;
    this.#search = typed;
  }

  /** The server's clock, to the minute. */
  get serverNow(): number {
    return this.minute + (this.list?.clockOffset ?? 0);
  }

  /**
   * Lets "in 5 days" follow the clock. A key that came to its end, or near it, since the last minute
   * is read again: what core says of it is another thing now.
   */
  tick(): void {
    const from = this.serverNow;
    this.minute = this.#around.now();
    const to = this.serverNow;
    const lead = this.#around.leadDays() * DAY;
    const passed = (at: number) => from < at && at <= to;
    const turns = ({ key: { expires } }: Row) =>
      expires !== null && (passed(expires) || passed(expires - lead));
    if (this.rows.some(turns)) void this.reload();
  }

  /** A key of the list. */
  find(uid: string): KeyView | null {
    return this.#byUid.get(uid)?.key ?? null;
  }

  // Reading

  /** Takes what is remembered, which came with another answer. */
  begin(list: KeyListView): void {
    if (this.list === null) this.#take(list);
  }

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
        this.#before = none;
      } while (this.#again);
    } finally {
      this.refreshing = false;
    }
  }

  async #read(refresh: boolean): Promise<void> {
    const asked = ++this.#asked;
    this.#reading++;
    try {
      const { connection } = this;
      const have = this.list?.snapshot;
      let list = await call("list_keys", { connection, refresh, have });
      // A later answer is already on screen, or on its way.
      if (asked < this.#asked && !refresh) return;
      if (list.revision >= (this.list?.revision ?? 0)) {
        // Another answer came between, so what this one holds does not go into what is here.
        if (list.since !== null && list.since !== this.list?.snapshot)
          list = await call("list_keys", { connection, refresh: false });
        this.#take(this.list ? merged(this.list, list) : list);
      }
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
    if (this.current === null || !this.#byUid.has(this.current)) {
      // The current key is gone: its neighbour takes over, where the eye already is.
      this.current = this.order[Math.min(Math.max(index, 0), this.order.length - 1)] ?? null;
    }
    if (this.current !== null) void this.loadDetails();
  }

  /** Puts one changed key in its place. */
  put(key: KeyView): void {
    this.#apply([key], nothing.uids);
  }

  #drop(uid: string): void {
    this.#apply([], new Set([uid]));
  }

  /** Puts changed keys in their places and takes away those that are gone. */
  #apply(changed: readonly KeyView[], gone: ReadonlySet<string>): void {
    const rows = new Map(changed.map((key) => [key.uid, toRow(key)]));
    const before = new Map(this.#before);
    for (const uid of rows.keys()) {
      const old = this.#byUid.get(uid);
      if (old && !before.has(uid)) before.set(uid, old);
    }
    this.#before = before;
    const kept = gone.size === 0 ? this.rows : this.rows.filter(({ uid }) => !gone.has(uid));
    const added = [...rows.values()].filter(({ uid }) => !this.#byUid.has(uid));
    this.#setRows([...kept.map((row) => rows.get(row.uid) ?? row), ...added]);
  }

  /** Follows what left the outbox, whoever asked for it. */
  left(ends: readonly OutboxEndView[]): void {
    const mine = ends.filter(({ item }) => item.connection === this.connection);
    if (mine.length === 0 || this.list === null) return;
    const isGone = ({ item, end, key }: OutboxEndView) =>
      key === null && end.kind === "confirmed" && item.action === "delete";
    const gone = new Set(mine.filter(isGone).map(({ item }) => item.keyUid));
    // One that took its time may be older than what was done since, such as an undo.
    const isOld = ({ uid, modified }: KeyView) =>
      modified !== null && modified < (this.find(uid)?.modified ?? 0);
    const changed = new Map(
      mine.flatMap(({ key }) => (key && !isOld(key) ? [[key.uid, key] as const] : [])),
    );
    this.#apply([...changed.values()], gone);
    // Nothing was read back of the others: what is remembered of them has changed all the same.
    if (mine.some((end) => end.key === null && !isGone(end))) void this.reload();
  }

  // What is under way

  /** The open record of a key. */
  record(uid: string): OutboxItemView | null {
    return this.#around.outbox.of(this.connection, uid);
  }

  /** What is asked of a key and not confirmed: by this window just now, or on record. */
  pending({ uid, flags }: Pick<KeyView, "uid" | "flags">): OutboxAction | null {
    const { outbox } = this.#around;
    const record = outbox.of(this.connection, uid);
    if (record) return record.action;
    if (outbox.isAsking(this.#target("delete", uid))) return "delete";
    if (outbox.isAsking(this.#target("revoke", uid)) || flags.includes("revoking")) return "revoke";
    return null;
  }

  /** True until an act asked in this window has its first answer. */
  isAsking(uid: string): boolean {
    const { outbox } = this.#around;
    return outbox.isAsking(this.#target("revoke", uid));
  }

  /** Revoked, or going to be: revoking it again would change nothing. */
  isOut(key: KeyView): boolean {
    return key.status === "revoked" || this.#isWithdrawable(key);
  }

  #isWithdrawable(key: KeyView): boolean {
    return (
      key.status !== "revoked" && this.#around.outbox.find(this.#target("revoke", key.uid)) !== null
    );
  }

  /** True while a deletion is on record. */
  isGoing(key: KeyView): boolean {
    return this.#around.outbox.find(this.#target("delete", key.uid)) !== null;
  }

  #target(action: OutboxAction, uid: string): Target {
    return { connection: this.connection, uid, action };
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

  /** Ticks everything that view and search let through. */
  tickMatching(): void {
    this.selection = { ...nothing, uids: new Set(this.order) };
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
    this.#before = none;
    this.sort = pressed(this.sort, column);
  }

  /** Whether what ends next is at the top. */
  get byTrouble(): boolean {
    return this.sort.column === trouble.column && this.sort.descending === trouble.descending;
  }

  /** Shows what a saved view says. */
  showSaved({ view, search, order, descending }: SavedView): void {
    this.show(view);
    this.search = search;
    this.sort = { column: order, descending };
  }

  /** What is shown now, as it would be saved. */
  asSaved(name: string): SavedView {
    const { column, descending } = this.sort;
    return { name, view: this.view, search: this.search.trim(), order: column, descending };
  }

  /** Whether a saved view is what is shown now. */
  isShowing(saved: SavedView): boolean {
    const now = this.asSaved(saved.name);
    return (
      this.only === null &&
      now.view === saved.view &&
      now.search === saved.search &&
      now.order === saved.order &&
      now.descending === saved.descending
    );
  }

  /** How many keys a saved view holds. */
  countSaved({ view, search }: SavedView): number {
    const query = parse(search, this.serverNow);
    return this.rows.filter((row) => inView(row, view) && (query.empty || query.matches(row)))
      .length;
  }

  /** Shows one of the sidebar's views. */
  show(view: ViewId): void {
    this.#before = none;
    this.only = null;
    this.view = view;
  }

  /** What the keys shown were chosen by; empty when nothing was. */
  get filterWords(): string {
    const view = this.view === "all" ? "" : (views.find(({ id }) => id === this.view)?.name ?? "");
    return [this.only?.label ?? "", view, this.#search.trim()]
      .filter((part) => part !== "")
      .join(", ");
  }

  /** Puts what ends next at the top, and what is out of use at the bottom. */
  sortByTrouble(): void {
    this.#before = none;
    this.sort = trouble;
  }

  /** Shows everything again. */
  showAll(): void {
    this.only = null;
    this.view = "all";
    this.search = "";
  }

  /** Shows these keys only, ticked for an act on all of them. */
  showOnly(label: string, keys: readonly KeyView[], ticked: boolean): void {
    this.showAll();
    const uids = new Set(keys.map(({ uid }) => uid));
    this.only = { label, uids };
    // Another list, which begins at its top.
    this.scrolled = 0;
    this.selection = ticked ? { ...nothing, uids } : nothing;
    this.current = this.order[0] ?? this.current;
    if (this.current !== null) void this.loadDetails();
  }

  // Revoking

  /** What an act would do to each of these keys. */
  plan(kind: BulkKind, keys: readonly KeyView[]): Plan {
    return planOf(kind, keys, {
      isOut: (key) => this.isOut(key),
      isGoing: (key) => this.isGoing(key),
      hasEnded: (key) => this.hasEnded(key),
    });
  }

  /** Revokes keys: an own one at once, everything else after one question. */
  revoke(keys: readonly KeyView[]): void {
    const plan = this.plan("revoke", keys);
    const may = plan.will;
    const [first] = may;
    if (!first) {
      this.#sayNothingToDo(plan, "revoke");
      return;
    }
    const successor = may.find(({ pair }) => pair?.role === "new");
    if (keys.length === 1 && first.mine && !successor) {
      void this.#revokeOne(first);
      return;
    }
    this.#around.dialogs.confirm({
      connection: this.connection,
      title: may.length === 1 ? `Revoke ${short(first.name)}?` : `Revoke ${may.length} keys?`,
      plan: keys.length === 1 ? undefined : plan,
      lines: [
        ...this.about(may),
        ...(successor
          ? [
              `${short(successor.name)} takes the place of ${short(successor.pair?.name ?? "")}: without it that roll has no key that goes on.`,
            ]
          : []),
        may.length === 1
          ? "Whatever uses this key stops working. You can re-activate it later."
          : "Whatever uses these keys stops working. You can re-activate them later.",
      ],
      action: may.length === 1 ? "Revoke" : `Revoke ${may.length} keys`,
      tone: "danger",
      onConfirm: () =>
        void (may.length === 1 ? this.#revokeOne(first) : this.#sendAll("revoke", may)),
    });
  }

  /** Every key is left out: why is said, but of a single key, for which the act is not offered. */
  #sayNothingToDo(plan: Plan, doing: "revoke" | "delete"): void {
    const { dialogs } = this.#around;
    const [kept] = leftFor(plan, "signsIn");
    if (kept && plan.lines.every(({ why }) => why === "signsIn" || why === "notAllowed")) {
      dialogs.open({ kind: "signsIn", key: kept, doing });
    } else if (plan.asked > 1) {
      dialogs.open({ kind: "notice", title: `Nothing to ${doing}`, lines: [], plan });
    }
  }

  /** Revokes the key that signs this app in: the person was told what that means. */
  revokeAnyway(key: KeyView): void {
    void this.#revokeOne(key, true);
  }

  async #revokeOne(key: KeyView, anyway = false): Promise<void> {
    const { connection } = this;
    const { dialogs, outbox, toasts } = this.#around;
    const target = this.#target("revoke", key.uid);
    const heard: OutboxEndView[] = [];
    if (outbox.isAsking(target)) return;
    await outbox.asked(
      target,
      (end) => heard.push(end),
      async () => {
        let answer: RevokeView;
        try {
          const command = anyway ? "revoke_signing_key" : "revoke_key";
          answer = await call(command, { opId: newOpId(), connection, uid: key.uid });
        } catch (thrown) {
          const problem = toFailure(thrown);
          if (problem.code === "signsThisAppIn") {
            // Another connection's, or known since the list was read.
            dialogs.open({ kind: "signsIn", key, doing: "revoke" });
            return false;
          }
          this.#sayProblem(
            `${short(key.name)} was not revoked.`,
            problem,
            () => void this.#revokeOne(key, anyway),
          );
          return false;
        }
        // It may have been confirmed, or withdrawn, while its answer was on the way.
        const [last] = heard;
        if (last?.end.kind === "givenUp") return true;
        if (answer.kind === "unconfirmed") {
          if (!last) {
            this.#sayOpen(target, key, answer.problem);
            return false;
          }
          answer = { ...last.end, kind: "confirmed", key: last.key, refusedAt: last.end.refusedAt };
        }
        if (answer.key) this.put(answer.key);
        else await this.reload();
        const { refusedAt } = answer;
        toasts.show({
          tone: "ok",
          text: `Revoked ${short(key.name)}.`,
          detail: refusedAt === null ? undefined : refused(refusedAt),
          action: answer.key ? this.#undoOf("revoke", key) : undefined,
        });
        return true;
      },
    );
  }

  /** Says that something goes on being tried; asking again would change nothing. */
  #sayOpen(target: Target, key: KeyView, problem: ErrorView): void {
    const { dialogs, toasts } = this.#around;
    toasts.show({
      tone: "bad",
      text: `Could not confirm the ${outboxWords[target.action].act} of ${short(key.name)}; still trying.`,
      detail: problem.message,
      about: aboutRecord(target),
      action: { label: "Show", run: () => dialogs.open({ kind: "outbox" }) },
    });
  }

  /** Revokes or deletes several: all written down at once, then counted off as they are confirmed. */
  async #sendAll(action: OutboxAction, asked: readonly KeyView[]): Promise<void> {
    // What is on its way already is counted there.
    const keys = asked.filter(
      ({ uid }) => !this.#bulks.some(({ bulk }) => bulk.waitsFor(action, uid)),
    );
    if (keys.length === 0) return;
    const { doing, did } = outboxWords[action];
    const bulk = new Bulk(this.#around.outbox, this.connection, action, keys);
    const entry = { doing, bulk };
    this.#bulks = [...this.#bulks, entry];
    let outcome: BulkOutcome;
    try {
      outcome = await bulk.run();
    } catch (thrown) {
      this.#sayProblem(
        `No key was ${did.toLowerCase()}.`,
        toFailure(thrown),
        () => void this.#sendAll(action, keys),
      );
      return;
    } finally {
      this.#bulks = this.#bulks.filter((each) => each !== entry);
    }
    if (outcome.lost.length > 0) {
      await this.reload();
      this.#findLost(action, outcome);
    }
    const failed = [...outcome.open.map(({ key }) => key), ...outcome.lost];
    this.#keepTicked(keys, failed);
    this.#sumUp(action, keys.length, outcome);
  }

  /** Of what was acted on, what failed stays ticked; what was ticked since stays so too. */
  #keepTicked(asked: readonly { uid: string }[], failed: readonly { uid: string }[]): void {
    const uids = new Set(this.selection.uids);
    for (const { uid } of asked) uids.delete(uid);
    for (const { uid } of failed) uids.add(uid);
    this.selection = { ...nothing, uids };
  }

  /** What left the outbox unheard is judged by what the list says of it. */
  #findLost(action: OutboxAction, outcome: BulkOutcome): void {
    const lost: KeyView[] = [];
    for (const key of outcome.lost) {
      const after = this.find(key.uid);
      const isDone = action === "delete" ? after === null : after?.status === "revoked";
      if (isDone) outcome.done.push({ key, after });
      else lost.push(key);
    }
    outcome.lost = lost;
  }

  #sumUp(action: OutboxAction, asked: number, { done, open, stopped, lost }: BulkOutcome): void {
    const { outbox, toasts } = this.#around;
    const { did } = outboxWords[action];
    const blocked = open.filter(({ item }) => item.state === "blocked");
    const trying = open.filter(({ item }) => item.state !== "blocked");
    const names = (keys: readonly { key: KeyView }[]) => listed(keys.map(({ key }) => key));
    const details = [
      blocked.length > 0
        ? `Needs you: ${names(blocked)}. ${blocked[0]?.item.problem?.message ?? ""}`.trim()
        : "",
      trying.length > 0 ? `Not confirmed yet, still trying: ${names(trying)}.` : "",
      lost.length > 0 ? `Not known: ${listed(lost)}.` : "",
      stopped.length > 0 ? untouchedWords(stopped.length) : "",
    ].filter((line) => line !== "");
    const back = done.flatMap(({ after }) => (after?.status === "revoked" ? [after] : []));
    const again = () => {
      // One call tries them all; each says by itself when it is confirmed.
      const [one] = open;
      if (one) void outbox.retry(open.length === 1 ? one.item.record : null);
      if (lost.length > 0) void this.#sendAll(action, lost);
    };
    toasts.show({
      tone: open.length + lost.length > 0 ? "bad" : "ok",
      text:
        done.length === asked
          ? `${did} ${count(asked, "key")}.`
          : `${did} ${done.length} of ${count(asked, "key")}.`,
      detail: details.join(" ") || undefined,
      action: back.length > 0 ? { label: "Undo", run: () => this.undo(back) } : undefined,
      second: open.length + lost.length > 0 ? { label: "Retry failed", run: again } : undefined,
    });
  }

  /** Takes back the revocation of keys that was just confirmed: nobody is asked twice. */
  undo(keys: readonly KeyView[]): void {
    this.#undoAll("revoke", keys);
  }

  #undoAll(act: Act, keys: readonly KeyView[]): void {
    const [first] = keys;
    if (first && keys.length === 1) void this.#undoOne(act, first);
    else if (first) void this.#undoSeveral(act, keys);
  }

  async #undoOne(act: Act, key: KeyView): Promise<void> {
    // Taking it back would leave it as dead as it is: a renewal is offered instead.
    if (act === "revoke" && this.hasEnded(this.find(key.uid) ?? key)) {
      this.#around.dialogs.open({
        kind: "renew",
        keys: [this.find(key.uid) ?? key],
        thenReactivate: true,
      });
      return;
    }
    await this.#undoing.run(this.#actOn(act, key));
  }

  async #undoSeveral(act: Act, keys: readonly KeyView[]): Promise<void> {
    const outcome = await this.#each(
      act === "revoke" ? "Re-activating" : "Undoing",
      keys,
      (key) => this.#undoing.quietly(this.#actOn(act, key)),
      () => void this.#undoSeveral(act, keys),
    );
    if (!outcome) return;
    if (act === "revoke") {
      this.#summarise("Re-activated", "re-activated", keys.length, outcome);
    } else {
      this.#summarise("Changed back", "changed back", keys.length, outcome);
    }
  }

  #actOn(act: Act, { uid }: KeyView) {
    return { kind: "act" as const, connection: this.connection, uid, act };
  }

  #undoOf(act: Act, key: KeyView) {
    return { label: "Undo", run: () => void this.#undoOne(act, key) };
  }

  // Re-activating

  /** Re-activates keys; one that has expired meanwhile is offered a renewal instead. */
  reactivate(keys: readonly KeyView[]): void {
    const plan = this.plan("reactivate", keys);
    const ended = leftFor(plan, "ended");
    if (plan.will.length === 0) {
      // What has ended needs a new end as well, and gets both in one go.
      if (ended.length > 0)
        this.#around.dialogs.open({ kind: "renew", keys: [...ended], thenReactivate: true });
      return;
    }
    const [first] = plan.will;
    if (keys.length === 1 && first) {
      if (this.#isWithdrawable(first)) this.#askWithdraw(first);
      else if (first.mine) void this.#reactivateOne(first);
      else this.#askReactivate(plan);
      return;
    }
    this.#askReactivate(plan);
  }

  #askWithdraw(key: KeyView): void {
    this.#around.dialogs.confirm({
      connection: this.connection,
      title: "Withdraw the revocation?",
      lines: [
        ...this.about([key]),
        "Palette has not confirmed the revocation. Withdrawn, it is not tried any more, and the key stays in service.",
      ],
      action: "Withdraw",
      tone: "neutral",
      onConfirm: () => void this.#reactivateOne(key),
    });
  }

  #askReactivate(plan: Plan): void {
    const keys = plan.will;
    const open = keys.filter((key) => this.#isWithdrawable(key));
    const ended = leftFor(plan, "ended");
    const [first] = keys;
    if (!first) return;
    this.#around.dialogs.confirm({
      connection: this.connection,
      title:
        keys.length === 1
          ? `Re-activate ${short(first.name)}?`
          : `Re-activate ${keys.length} keys?`,
      plan: plan.asked === 1 ? undefined : plan,
      lines: [
        ...this.about(keys),
        ...(ended.length > 0
          ? ["Renew can give those that have ended a new end and re-activate them in one go."]
          : []),
        ...(open.length > 0
          ? [
              `${count(open.length, "revocation")} not confirmed yet ${open.length === 1 ? "is" : "are"} withdrawn.`,
            ]
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
      this.#around.toasts.show({
        tone: "ok",
        text: `Re-activated ${short(key.name)}.`,
        action: this.#undoOf("reactivate", key),
      });
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
    await this.#doAll({ kind: "reactivate" }, keys);
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
    // A single key may be renewed whatever it is; of several, some are left out with a word.
    const may = keys.filter((key) => this.mayUpdate(key));
    if (may.length > 0)
      this.#around.dialogs.open({ kind: "renew", keys: keys.length === 1 ? may : [...keys] });
  }

  /** Whether a key can be rolled: a revoked one, or one of a running roll, cannot. */
  mayRoll(key: KeyView): boolean {
    const forOthers = this.#around.mayCreateForOthers();
    return this.mayUpdate(key) && !this.isOut(key) && !key.pair && (key.mine || forOthers);
  }

  /** Opens "Roll API key". */
  askRoll(key: KeyView): void {
    if (this.mayRoll(key)) this.#around.dialogs.open({ kind: "roll", key, list: this });
  }

  /** A roll that is not over. */
  roll(id: string): RollView | null {
    return this.list?.rolls.find(({ roll }) => roll === id) ?? null;
  }

  /** The roll that a key is part of. */
  rollOf({ uid, pair }: KeyView): RollView | null {
    const rolls = this.list?.rolls ?? [];
    const mine = ({ oldUid, newUid }: RollView) => oldUid === uid || newUid === uid;
    return rolls.find(mine) ?? (pair ? this.roll(pair.roll) : null);
  }

  /** Ends a roll's old key at once, after a question. */
  askEndRoll(roll: RollView, end: () => void): void {
    const old = this.find(roll.oldUid);
    this.#around.dialogs.confirm({
      connection: this.connection,
      title: `End ${short(roll.oldName)} now?`,
      lines: [
        ...(old ? this.about([old]) : []),
        `It is revoked at once. ${short(roll.newName)} is in its place.`,
      ],
      action: "End now",
      tone: "danger",
      onConfirm: end,
    });
  }

  /** Takes a roll back, after a question; the core looks first whether somebody moved the end. */
  askCancelRoll(roll: RollView, cancel: () => void): void {
    const old = this.find(roll.oldUid);
    this.#around.dialogs.confirm({
      connection: this.connection,
      title: `Cancel the roll of ${short(roll.oldName)}?`,
      lines: [
        ...(old ? this.about([old]) : []),
        `${short(roll.oldName)} goes on as it was. ${short(roll.newName)} is revoked: what uses it already stops working.`,
      ],
      action: "Cancel roll",
      tone: "danger",
      onConfirm: cancel,
    });
  }

  /** Opens "Edit API key". */
  askEdit(key: KeyView): void {
    if (this.mayUpdate(key)) this.#around.dialogs.open({ kind: "edit", key });
  }

  /** Opens "Delete API key". */
  askDelete(keys: readonly KeyView[]): void {
    const plan = this.plan("delete", keys);
    if (plan.will.length === 0) this.#sayNothingToDo(plan, "delete");
    else this.#around.dialogs.open({ kind: "delete", keys: [...plan.will], plan });
  }

  /** Moves one key's end. Rejects with a `CallError` for the dialog to show. */
  async renew(opId: string, { uid }: KeyView, expiry: ExpiryChoice): Promise<KeyView> {
    const { key } = await call("renew_key", { opId, connection: this.connection, uid, expiry });
    this.put(key);
    this.#around.toasts.show({
      tone: "ok",
      text: `Renewed ${short(key.name)}.`,
      action: this.#undoOf("renew", key),
    });
    return key;
  }

  /** Renews a key and makes it work again. Rejects with a `CallError` for the dialog to show. */
  async renewAndReactivate(opId: string, key: KeyView, expiry: ExpiryChoice): Promise<void> {
    const { connection } = this;
    this.put((await call("renew_key", { opId, connection, uid: key.uid, expiry })).key);
    this.put((await call("reactivate_key", { opId: newOpId(), connection, uid: key.uid })).key);
    this.#around.toasts.show({
      tone: "ok",
      text: `Renewed and re-activated ${short(key.name)}.`,
      action: this.#undoOf("reactivate", key),
    });
  }

  /** Moves the end of several keys, a few at a time, with a count in the list. */
  async renewAll(
    keys: readonly KeyView[],
    expiry: ExpiryChoice,
    reactivate = false,
  ): Promise<void> {
    await this.#doAll({ kind: "renew", expiry, reactivate }, keys);
  }

  /** Moves each end to its own time, as it was planned. */
  async moveEnds(moves: readonly MoveView[]): Promise<void> {
    const ends = moves.map(({ uid, from, to }) => ({ uid, before: from, after: to }));
    const uids = moves.map(({ uid }) => uid);
    await this.#doAll({ kind: "move", ends }, this.#found(uids));
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
      this.#around.toasts.show({
        tone: "ok",
        text: `Saved ${short(answer.key.name)}.`,
        action: this.#undoOf("edit", answer.key),
      });
    } else {
      this.put(answer.theirs);
    }
    return answer;
  }

  /**
   * Deletes one key for ever. Rejects with a `CallError` for the dialog to show when nothing will
   * happen; what is not confirmed in time goes on by itself.
   */
  async remove(opId: string, key: KeyView, typedName: string): Promise<void> {
    const { connection } = this;
    const target = this.#target("delete", key.uid);
    const heard: OutboxEndView[] = [];
    await this.#around.outbox.asked(
      target,
      (end) => heard.push(end),
      async () => {
        try {
          await call("delete_key", { opId, connection, uid: key.uid, typedName });
        } catch (thrown) {
          const problem = toFailure(thrown);
          if (problem.code !== "outcomeUnknown") throw thrown;
          const [last] = heard;
          if (last?.end.kind === "givenUp") return true;
          if (!last) {
            this.#sayOpen(target, key, problem);
            return false;
          }
        }
        this.#drop(key.uid);
        this.#around.toasts.show({ tone: "ok", text: `Deleted ${short(key.name)}.` });
        return true;
      },
    );
  }

  /** Deletes several keys for ever, with a count in the list. */
  removeAll(keys: readonly KeyView[]): Promise<void> {
    return this.#sendAll("delete", keys);
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

  /** Stops after what is being worked on. */
  stopBatch(): void {
    if (this.#bulk) this.#bulk.bulk.stop();
    else if (this.#run) {
      const { opId } = this.#run;
      this.#run = { ...this.#run, stopping: true };
      void this.#stop(opId);
    } else if (this.#series) this.#series = { ...this.#series, stopping: true };
  }

  async #stop(opId: string): Promise<void> {
    try {
      await call("stop_bulk", { opId });
    } catch (thrown) {
      if (this.#run?.opId === opId) this.#run = { ...this.#run, stopping: false };
      this.#sayProblem("It goes on: it could not be stopped.", toFailure(thrown));
    }
  }

  /** Follows what core says of a bulk act of this window. */
  follow(run: BulkRunView): void {
    if (run.opId === this.#run?.opId) this.#run = run;
  }

  /** Joins what core was doing when this window was loaded anew, for its count and its end. */
  async join(): Promise<void> {
    try {
      const runs = await call("bulk_runs", null);
      const run = runs.find(({ connection }) => connection === this.connection);
      if (run && !this.batch) await this.#watch(run, []);
    } catch {
      // Only its count is missing: what it changes is told all the same.
    }
  }

  /** Renews or re-activates several through core, which paces them and says what became of each. */
  async #doAll(act: BulkAct, keys: readonly KeyView[]): Promise<void> {
    if (keys.length === 0) return;
    if (this.batch) {
      this.#sayBusy(() => void this.#doAll(act, keys));
      return;
    }
    const run: BulkRunView = {
      opId: newOpId(),
      connection: this.connection,
      act,
      done: 0,
      failed: 0,
      of: keys.length,
      stopping: false,
    };
    await this.#watch(
      run,
      keys.map(({ uid }) => uid),
    );
  }

  async #watch(run: BulkRunView, uids: string[]): Promise<void> {
    const { opId, connection, act } = run;
    this.#run = run;
    let view: BulkView;
    try {
      view = await call("bulk_keys", { opId, connection, uids, act });
    } catch (thrown) {
      this.#sayProblem(
        bulkWords[act.kind].none,
        toFailure(thrown),
        () => void this.#doAll(act, this.#found(uids)),
      );
      return;
    } finally {
      this.#run = null;
    }
    this.#apply(view.changed, nothing.uids);
    const failed = view.failed.map(({ uid }) => uid);
    const again = [...failed, ...(view.cutOff ? view.untouched : [])];
    const named = (uids: readonly string[]) => uids.map((uid) => ({ uid }));
    // Of what another window's page began, only what failed is known.
    this.#keepTicked(named(uids), named(again));
    this.#sumUpBulk(act, run.of, view, again);
  }

  #found(uids: readonly string[]): KeyView[] {
    return uids.flatMap((uid) => this.find(uid) ?? []);
  }

  #sumUpBulk(act: BulkAct, asked: number, view: BulkView, again: readonly string[]): void {
    const { did } = bulkWords[act.kind];
    const { changed, failed, skipped, untouched, cutOff, ends } = view;
    const [failure] = failed;
    const leftOut = skipped
      .slice(0, 5)
      .map(({ name, why }) => `${short(name)} (${skipWords[why]})`)
      .join(", ");
    const details = [
      failure ? `Not done: ${listed(failed)}. ${cutOff ? "" : failure.problem.message}`.trim() : "",
      skipped.length > 0
        ? `Left out: ${leftOut}${skipped.length > 5 ? ` and ${skipped.length - 5} more` : ""}.`
        : "",
      cutOff ? `${cutOff.message} The rest was not begun.` : "",
      untouched.length > 0 ? untouchedWords(untouched.length) : "",
    ].filter((line) => line !== "");
    const undo = changed.length > 0 ? this.#bulkUndo(act, changed, ends) : null;
    this.#around.toasts.show({
      tone: again.length > 0 ? "bad" : "ok",
      text:
        changed.length === asked
          ? `${did} ${count(asked, "key")}.`
          : `${did} ${changed.length} of ${count(asked, "key")}.`,
      detail: details.join(" ") || undefined,
      action: undo ? { label: "Undo", run: undo } : undefined,
      second:
        again.length > 0
          ? { label: "Retry failed", run: () => void this.#doAll(act, this.#found(again)) }
          : undefined,
    });
  }

  /** What takes a bulk act back, unless somebody changed it since; an undo is not undone again. */
  #bulkUndo(act: BulkAct, changed: readonly KeyView[], ends: BulkEnd[]): (() => void) | null {
    switch (act.kind) {
      case "restore":
        return null;
      case "reactivate":
        return () => this.#undoAll("reactivate", changed);
      case "renew":
      case "move":
        if (act.kind === "renew" && act.reactivate) return null;
        return () =>
          void this.#doAll({ kind: "restore", ends }, this.#found(ends.map(({ uid }) => uid)));
    }
  }

  /** Null, with a word, where another act on several keys is under way; `again` tries it then. */
  async #each(
    doing: string,
    keys: readonly KeyView[],
    deed: Deed,
    again: () => void,
  ): Promise<Outcome | null> {
    if (this.batch) {
      this.#sayBusy(again);
      return null;
    }
    const outcome: Outcome = { done: [], failed: [] };
    this.#series = { doing, done: 0, of: keys.length, stopping: false };
    for (const key of keys) {
      if (this.#series.stopping) break;
      const problem = await deed(key);
      if (problem) outcome.failed.push({ key, problem });
      else outcome.done.push(key);
      this.#series = { ...this.#series, done: this.#series.done + 1 };
    }
    this.#series = null;
    this.#keepTicked(
      keys,
      outcome.failed.map(({ key }) => key),
    );
    return outcome;
  }

  /** `undoable`: what an undo of those that worked takes back. */
  #summarise(did: string, done: string, asked: number, outcome: Outcome, undoable?: Act): void {
    const worked = outcome.done.length;
    const untouched = asked - worked - outcome.failed.length;
    const [failure] = outcome.failed;
    const text =
      worked === asked
        ? `${did} ${count(worked, "key")}.`
        : `${did} ${worked} of ${count(asked, "key")}.`;
    const left = untouched > 0 ? untouchedWords(untouched) : null;
    const failed = failure
      ? `Not ${done}: ${outcome.failed.map(({ key }) => short(key.name)).join(", ")}. ${failure.problem.message}`
      : null;
    this.#around.toasts.show({
      tone: failure ? "bad" : "ok",
      text,
      detail: [failed, left].filter((line) => line !== null).join(" ") || undefined,
      action:
        undoable && worked > 0
          ? { label: "Undo", run: () => this.#undoAll(undoable, outcome.done) }
          : undefined,
    });
  }

  // Words and rights

  /** Whether the caller may change a key. */
  mayUpdate(key: KeyView): boolean {
    return key.may.update;
  }

  /** Keys, each with the end of its uid, and owners of a question, one line each. */
  about(keys: readonly KeyView[]): string[] {
    const owners = new Set(keys.map((key) => person(key.ownerName, "an unknown person")));
    const names = keys.slice(0, 5).map(nameAndUid);
    const more = keys.length - names.length;
    return [
      `${keys.length === 1 ? "Key" : "Keys"}: ${names.join(", ")}${more > 0 ? ` and ${more} more` : ""}`,
      `${owners.size === 1 ? "Owner" : "Owners"}: ${[...owners].slice(0, 5).join(", ")}${owners.size > 5 ? ` and ${owners.size - 5} more` : ""}`,
    ];
  }

  /** Acts that are paced follow one another: one asked for meanwhile was not begun, and says so. */
  #sayBusy(again: () => void): void {
    this.#around.toasts.show({
      tone: "bad",
      text: "Nothing was changed.",
      detail: "Several keys are being changed already. Try again when that has ended.",
      action: { label: "Try again", run: again },
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

/** What a toast about an open record is about. */
export function aboutRecord({ action, connection, uid }: Target): string {
  return `${action}/${connection}/${uid}`;
}

/** The proof, in words: the value was tried, and that it failed is good news. */
export function refused(at: number): string {
  return `Tried at ${clockToSecond(at)}: Palette no longer accepts it.`;
}

function untouchedWords(keys: number): string {
  return `Stopped: ${count(keys, "key")} left as ${keys === 1 ? "it was" : "they were"}.`;
}

function listed(keys: readonly { name: string }[]): string {
  const names = keys.slice(0, 5).map((key) => short(key.name));
  const more = keys.length - names.length;
  return `${names.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}
