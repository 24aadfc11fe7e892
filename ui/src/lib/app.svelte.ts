import { createContext, tick } from "svelte";
import { sentenceOf } from "./activity/words";
import { Undoing } from "./change/undoing.svelte";
import { Clipboard } from "./clipboard.svelte";
import { Dialogs } from "./dialogs.svelte";
import { isNetwork, present } from "./errors";
import {
  call,
  listen,
  newOpId,
  toFailure,
  type ActivityView,
  type Appearance,
  type BackgroundView,
  type ConnectionView,
  type ConnectView,
  type CopyShape,
  type ErrorView,
  type GoView,
  type HeldView,
  type KeychainView,
  type KeyListView,
  type KeyView,
  type OutboxEndView,
  type ReportFormat,
  type PolicyView,
  type SavedView,
  type Settings,
  type SignInChange,
  type StartView,
  type ValueSource,
} from "./ipc";
import { followUse } from "./inUse";
import { askStart } from "./ipc/begin";
import { aboutRecord, Keys, refused } from "./keys/keys.svelte";
import { nameAndUid, person, short } from "./keys/names";
import { exact } from "./keys/time";
import { count } from "./numbers";
import { layout } from "./layout.svelte";
import { Outbox } from "./outbox/outbox.svelte";
import { inSentence } from "./outbox/words";
import { afterPaint } from "./painted";
import { Review } from "./review/review.svelte";
import { applyAppearance, followDesktop } from "./theme";
import { Toasts } from "./toasts.svelte";

/** Which screen is shown. */
export type Route =
  | { kind: "connect"; signInTo: string | null }
  | { kind: "keys" }
  | { kind: "review" }
  | { kind: "activity" }
  | { kind: "settings" };

const MINUTE = 60_000;
/** A list that is not older than this need not be read again. */
const JUST_READ = 10_000;
/** Milliseconds after which a first screen that was not painted is waited for no more. */
const PAINTS_WITHIN = 1_000;
/** Milliseconds between two readings of what changed. */
const READ_GAP = 200;
const READ_GAP_IN_BATCH = 1_000;
/** Milliseconds for which what was just done is undone without a question, as from the tray. */
const FRESH = 15 * MINUTE;

/** The window: where it is, which connection is open, and what floats above. */
export class App {
  phase = $state<"starting" | "failed" | "locked" | "ready">("starting");
  problem = $state.raw<ErrorView | null>(null);
  route = $state.raw<Route>({ kind: "keys" });

  version = $state("");
  connections = $state.raw<readonly ConnectionView[]>([]);
  activeId = $state<string | null>(null);
  settings = $state.raw<Settings>({
    appearance: "system",
    clipboardSeconds: 30,
    defaultExpirationDays: 30,
    leadDays: 14,
    longestLifeDays: null,
    refreshMinutes: 15,
    lockAfterMinutes: null,
    startAtLogin: false,
    closeToTray: true,
    notices: true,
    noticeDays: [30, 14, 7, 3, 1],
    weeklyDigest: true,
    changeNotices: false,
    policyPath: null,
    severities: {},
    renewSignInKey: true,
    hiddenColumns: [],
    savedViews: [],
  });
  keychain = $state.raw<KeychainView>({ state: "ready", name: "Keychain", advice: null });
  demoBuiltIn = $state(false);
  /** Tray and notices; none until the shell has said. */
  background = $state.raw<BackgroundView | null>(null);

  /** The keys of the open connection. */
  keys = $state.raw<Keys | null>(null);
  /** The review of the open connection. */
  review = $state.raw<Review | null>(null);
  /** What the organization asks of keys; none until it was read. */
  policy = $state.raw<PolicyView | null>(null);
  /** The connection is being opened or signed in to. */
  entering = $state(false);
  /** This computer's clock, which moves on each minute. */
  minute = $state(0);
  /** The first screen is on the display; where nobody paints one, nothing has to wait for it. */
  painted = $state(true);
  paletteOpen = $state(false);

  readonly toasts = new Toasts();
  readonly dialogs = new Dialogs();
  readonly clipboard = new Clipboard();
  /** Takes back what the journal says was done, in any connection. */
  readonly undoing = new Undoing({
    toasts: this.toasts,
    dialogs: this.dialogs,
    changed: (connection, key) => {
      if (connection === this.keys?.connection) this.keys.put(key);
    },
  });
  /** What is confirmed by a person and not by the server, of all connections. */
  readonly outbox = new Outbox({
    left: (ends) => this.#left(ends),
    unclaimed: (ends) => this.#sayEnds(ends),
  });

  /** The settings as they count for keys: with the longest life that the policy allows. */
  keySettings = $derived<Settings>({
    ...this.settings,
    longestLifeDays: this.policy?.longestLifeDays ?? this.settings.longestLifeDays,
  });
  active = $derived(this.connections.find(({ id }) => id === this.activeId) ?? null);

  /** Nobody knows yet whether the server answers: it is being asked for the first time. */
  untried = $derived(
    this.entering &&
      this.active?.state === "offline" &&
      !this.active.problem &&
      !this.keys?.list?.problem,
  );
  /** Why what is shown of the open connection is not fresh, where that is known. */
  unread = $derived(
    this.keys?.list?.problem ?? (this.active?.state === "offline" ? this.active.problem : null),
  );
  /** The network fails: what answered something, if not what was hoped for, is not offline. */
  offline = $derived(
    !this.untried &&
      (this.unread === null ? this.active?.state === "offline" : isNetwork(this.unread.code)),
  );

  /** The caller sees the keys of everybody in the open connection. */
  seesEveryone = $derived(this.active?.identity?.sees === "everyKey");

  readonly #now: () => number;
  /** The lists of connections that were open in this run: view, selection and place are kept. */
  readonly #lists = new Map<string, Keys>();
  #lastRefresh = 0;
  #painting = false;
  /** Fulfilled once the first screen is on the display, or is late. */
  #paint: Promise<void> = Promise.resolve();
  #endPaint: () => void = () => undefined;
  /** The keys changed since they were read. */
  #told: { connection: string; revision: number } | null = null;
  #reading: ReturnType<typeof setTimeout> | null = null;
  #readAt = -Infinity;
  /** The connection that is being opened. */
  #entered: Promise<void> = Promise.resolve();
  /** Fulfilled once the shell is heard: nothing it says after `start` is missed. */
  #hearing: Promise<unknown> = Promise.resolve();
  /** Where the tray wants the window to be before it is ready. */
  #wanted: GoView[] = [];

  constructor(now: () => number = Date.now) {
    this.#now = now;
    this.minute = now();
  }

  // From start to end

  /** Asks the shell where we stand and opens what was open. */
  async start(): Promise<void> {
    this.phase = "starting";
    try {
      const view = await askStart();
      this.#adopt(view);
      for (const text of view.notices) this.toasts.show({ text, lasts: null });
      this.phase = "ready";
      if (view.active === null) this.go({ kind: "connect", signInTo: null });
      else void this.enter(view.active, view.list);
      for (const held of view.held) this.openHeld(held);
      const wanted = this.#wanted;
      this.#wanted = [];
      for (const view of wanted) void this.goTo(view);
      void this.#settle();
    } catch (thrown) {
      this.problem = toFailure(thrown);
      this.phase = this.problem.code === "appLocked" ? "locked" : "failed";
    }
  }

  /** Begins once the person is recognised; answers why it does not. */
  async unlock(): Promise<ErrorView | null> {
    try {
      await call("unlock", null);
    } catch (thrown) {
      return toFailure(thrown);
    }
    await this.start();
    return null;
  }

  /** Locks the app. The shell loads this page anew. */
  async lock(): Promise<void> {
    try {
      await call("lock_now", null);
    } catch (thrown) {
      this.say(toFailure(thrown));
    }
  }

  /** What need not be known for the first screen, once that is there and the shell is heard. */
  async #settle(): Promise<void> {
    await this.#paint;
    void this.#readAgent();
    void this.readPolicy();
    await this.#hearing;
    try {
      await call("hears", null);
    } catch (thrown) {
      this.say(toFailure(thrown));
    }
    // What was said between the start's answer and hearing was said to nobody.
    await this.readConnections();
  }

  /** Somebody shows the first screen and says when: what can wait for it does, for a while. */
  willPaint(): void {
    this.painted = false;
    this.#paint = new Promise((resolve) => {
      this.#endPaint = resolve;
      // A window that is on another desktop paints nothing.
      setTimeout(resolve, PAINTS_WITHIN);
    });
  }

  /** There is something to see: the coming frame takes the place of what the shell shows. */
  paintedSoon(): void {
    if (this.#painting) return;
    this.#painting = true;
    // Without either the shell takes its own away a little later.
    void call("shows", null).catch(() => undefined);
    afterPaint(() => {
      this.painted = true;
      this.#endPaint();
      void call("painted", null).catch(() => undefined);
    });
  }

  /** Hears the shell and the clock until the returned function is called. */
  follow(): () => void {
    const ends: (() => void)[] = [];
    let over = false;
    const pendings: Promise<unknown>[] = [];
    const until = (pending: Promise<() => void>) =>
      void pendings.push(pending.then((end) => (over ? end() : ends.push(end))));
    until(
      listen("keys-changed", ({ connection, revision }) => {
        if (connection === this.activeId) this.#told = { connection, revision };
        // A roll's dialog may be about a connection behind the open one.
        else if (this.dialogs.any) void this.#lists.get(connection)?.catchUp(revision);
        this.#readSoon();
      }),
    );
    until(
      listen("activity-changed", ({ connection }) => {
        if (connection === this.activeId) void this.keys?.loadDetails();
      }),
    );
    until(listen("connections-changed", () => void this.readConnections()));
    until(listen("held-waiting", (held) => this.openHeld(held)));
    until(listen("outbox-changed", (view) => this.outbox.take(view)));
    until(listen("outbox-ended", (end) => this.outbox.ended(end)));
    until(listen("bulk-changed", (run) => this.#lists.get(run.connection)?.follow(run)));
    until(listen("background", (view) => (this.background = view)));
    until(listen("quit-asked", () => this.dialogs.open({ kind: "quit" })));
    until(listen("go", (view) => void this.goTo(view)));
    until(this.clipboard.follow());
    this.#hearing = Promise.allSettled(pendings);
    ends.push(followDesktop(() => this.settings.appearance));
    ends.push(followUse(() => this.phase === "ready" && this.settings.lockAfterMinutes !== null));
    const timer = setInterval(() => this.#minutePassed(), MINUTE);
    const focused = () => {
      this.#refreshIfOlderThan(MINUTE);
      // The keychain says nothing of itself, and a person comes back from unlocking it.
      if (this.phase === "ready") void this.readConnections();
    };
    window.addEventListener("focus", focused);
    return () => {
      over = true;
      clearInterval(timer);
      if (this.#reading !== null) clearTimeout(this.#reading);
      window.removeEventListener("focus", focused);
      for (const end of ends) end();
    };
  }

  /** What waits, and how the app lives on without its window. */
  async #readAgent(): Promise<void> {
    try {
      await this.outbox.load();
    } catch (thrown) {
      this.say(toFailure(thrown));
    }
    await this.readBackground();
  }

  /**
   * Reads again what changed: the first change at once, the many of a bulk act together, because a
   * list of thousands is not read ten times a second.
   */
  #readSoon(): void {
    if (this.#reading !== null) return;
    const gap = this.keys?.batch ? READ_GAP_IN_BATCH : READ_GAP;
    const wait = Math.max(0, this.#readAt + gap - performance.now());
    this.#reading = setTimeout(() => {
      this.#reading = null;
      this.#readAt = performance.now();
      // Numbers of one list say nothing of another, which may have been opened meanwhile.
      if (this.#told !== null)
        void this.#lists.get(this.#told.connection)?.catchUp(this.#told.revision);
      this.#told = null;
      void this.#openWhatWaits();
    }, wait);
  }

  #minutePassed(): void {
    this.minute = this.#now();
    this.keys?.tick();
    this.#refreshIfOlderThan(this.settings.refreshMinutes * MINUTE);
  }

  #refreshIfOlderThan(age: number): void {
    if (this.active?.state === "needsSignIn" || this.entering) return;
    if (this.keys && this.#now() - this.#lastRefresh >= age) void this.refresh();
  }

  // Going about

  /** Shows a screen. */
  go(route: Route): void {
    this.route = route;
  }

  /** Goes where the tray or a notice points, in its connection. */
  async goTo(view: GoView): Promise<void> {
    if (this.phase !== "ready") {
      this.#wanted.push(view);
      return;
    }
    if (view.kind === "settings") {
      this.go({ kind: "settings" });
      return;
    }
    if (view.kind === "told") {
      // Whoever picked it in the tray may look only later.
      this.toasts.show({ tone: "bad", text: `${view.title}.`, detail: view.body, lasts: null });
      return;
    }
    if (view.kind === "connection") {
      // Picked in the tray: the window follows, and stays on its screen.
      if (view.connection === this.activeId) return;
      if (!this.connections.some(({ id }) => id === view.connection)) await this.readConnections();
      if (this.connections.some(({ id }) => id === view.connection))
        void this.enter(view.connection);
      return;
    }
    if (view.kind === "outbox") {
      if (this.outbox.empty) this.toasts.show({ text: "Everything is confirmed." });
      else this.dialogs.open({ kind: "outbox" });
      return;
    }
    if (!(await this.#openFor(view.connection ?? this.activeId))) return;
    switch (view.kind) {
      case "search":
        await this.toSearch();
        return;
      case "newKey":
        this.askCreate();
        return;
      case "key":
      case "renew":
      case "roll": {
        const key = await this.#show(view.uid);
        if (key && view.kind === "renew") this.keys?.askRenew([key]);
        if (key && view.kind === "roll") this.keys?.askRoll(key);
      }
    }
  }

  /** Opens a connection as far as what is remembered of it; false when there is none. */
  async #openFor(connection: string | null): Promise<boolean> {
    if (!this.connections.some(({ id }) => id === connection)) await this.readConnections();
    if (connection === null || !this.connections.some(({ id }) => id === connection)) {
      this.toasts.show({ tone: "bad", text: `${present("connectionUnknown").title}.` });
      return false;
    }
    this.go({ kind: "keys" });
    // The server's answer is not waited for: what is remembered is enough to look at.
    if (connection !== this.activeId || !this.keys) void this.enter(connection);
    return true;
  }

  /** Brings a key into sight, asking the server when nothing is remembered of it. */
  async #show(uid: string): Promise<KeyView | null> {
    const { keys } = this;
    if (!keys) return null;
    if (!keys.find(uid)) await keys.reload();
    if (!keys.find(uid)) await this.#entered;
    if (!keys.find(uid) && this.keys === keys) await keys.refresh();
    if (this.keys !== keys) return null;
    const key = keys.find(uid);
    if (!key) {
      this.toasts.show({ tone: "bad", text: `${present("keyGone").title}.` });
      return null;
    }
    keys.showAll();
    keys.focus(uid);
    keys.sheet = layout.sheet;
    return key;
  }

  /** Opens the list on these keys only, ticked for what is next. */
  openKeys(label: string, keys: readonly KeyView[], ticked: boolean): void {
    this.keys?.showOnly(label, keys, ticked);
    this.go({ kind: "keys" });
  }

  /** Reads the policy file again. What is known stays when that fails. */
  async readPolicy(): Promise<void> {
    try {
      this.policy = await call("policy", null);
    } catch {
      return;
    }
    await this.review?.load();
  }

  /** Takes another policy file. Rejects with a `CallError`. */
  async choosePolicy(): Promise<void> {
    this.settings = await call("choose_policy", null);
    await this.readPolicy();
  }

  /** Does without a policy file. Rejects with a `CallError`. */
  async dropPolicy(): Promise<void> {
    this.settings = await call("save_settings", { ...this.settings, policyPath: null });
    await this.readPolicy();
  }

  /** Puts the focus into the search box. */
  async toSearch(): Promise<void> {
    this.go({ kind: "keys" });
    await tick();
    const field = document.getElementById("search-keys");
    if (field instanceof HTMLInputElement) {
      field.focus();
      field.select();
    }
  }

  /** Asks the server for the keys again. */
  async refresh(): Promise<void> {
    this.#lastRefresh = this.#now();
    const state = this.active?.state;
    if (this.activeId !== null && state !== "signedIn") await this.enter(this.activeId);
    else await this.keys?.refresh();
  }

  /** Opens a connection: what is remembered at once, then signed in, then fresh. */
  enter(id: string, list: KeyListView | null = null): Promise<void> {
    this.#entered = this.#enter(id, list);
    return this.#entered;
  }

  async #enter(id: string, list: KeyListView | null): Promise<void> {
    if (id !== this.activeId) this.dialogs.leave(this.activeId);
    this.activeId = id;
    if (this.keys?.connection !== id) {
      this.keys = this.#keysOf(id);
      this.keys.tick();
    }
    if (this.route.kind === "connect") this.go({ kind: "keys" });
    const { keys } = this;
    this.entering = true;
    this.#lastRefresh = this.#now();
    try {
      if (list) keys?.begin(list);
      else await keys?.reload();
      await this.#paint;
      // Another one was picked meanwhile, and is the one to be remembered as open.
      if (this.activeId !== id) return;
      this.#put(await call("select_connection", { connection: id }));
    } catch (thrown) {
      const problem = toFailure(thrown);
      this.toasts.show({
        tone: "bad",
        text: `${present(problem.code).title}.`,
        detail: problem.message,
      });
    } finally {
      if (this.activeId === id) this.entering = false;
    }
    // What goes on from before this window was loaded shows its count again.
    void keys?.join();
    if (this.keys === keys && this.active?.state !== "needsSignIn") await keys?.refresh();
  }

  /** Switches to the connection at a place of the list, from 0. */
  enterNth(index: number): void {
    const connection = this.connections[index];
    if (!connection) return;
    this.go({ kind: "keys" });
    if (connection.id !== this.activeId) void this.enter(connection.id);
  }

  /** Takes a connection that was just made or signed in to, and opens it. */
  async joined({ connection, keychain }: ConnectView): Promise<void> {
    this.keychain = keychain;
    this.#put(connection);
    this.activeId = connection.id;
    // One that was still being opened is not the one that is waited for any more.
    this.entering = false;
    this.#lists.delete(connection.id);
    this.keys = this.#keysOf(connection.id);
    this.go({ kind: "keys" });
    this.#lastRefresh = this.#now();
    await this.keys.reload();
    // Connecting has just read the keys; only what could not be read then is asked for again.
    const { list } = this.keys;
    if (list?.problem || this.#now() - (list?.asOf ?? 0) > JUST_READ) await this.keys.refresh();
  }

  /** Says something about how a connection signs in; answers why it was not taken. */
  async changeSignIn(connection: string, change: SignInChange): Promise<ErrorView | null> {
    try {
      this.#put(await call("change_sign_in", { connection, change }));
      return null;
    } catch (thrown) {
      return toFailure(thrown);
    }
  }

  /** Makes a key of the app's own for a connection; answers why not. */
  async makeOwnKey(opId: string, connection: string): Promise<ErrorView | null> {
    try {
      const view = await call("make_own_key", { opId, connection });
      this.#put(view);
      this.toasts.show({
        tone: "ok",
        text: `${view.signIn.name === null ? "A key of its own" : short(view.signIn.name)} signs Palette Keys in from now on.`,
        detail: `It is in ${this.keychain.name}. Your password is not needed any more.`,
      });
      if (this.keys?.connection === connection) await this.keys.refresh();
      return null;
    } catch (thrown) {
      return toFailure(thrown);
    }
  }

  /** Takes a changed connection. */
  changed(connection: ConnectionView): void {
    this.#put(connection);
  }

  /** Takes what is left after a connection was removed. */
  removed(view: StartView, id: string): void {
    this.#adopt(view);
    this.#lists.delete(id);
    if (view.active === null) {
      this.activeId = null;
      this.entering = false;
      this.keys = null;
      this.go({ kind: "connect", signInTo: null });
    } else if (view.active !== this.activeId) {
      void this.enter(view.active);
    }
  }

  /** Reads the connections again, without touching what is open. */
  async readConnections(): Promise<void> {
    try {
      const view = await call("start", { begins: false });
      this.connections = view.connections;
      this.keychain = view.keychain;
    } catch {
      // What is shown stays; the next change asks again.
    }
  }

  #adopt(view: StartView): void {
    this.version = view.version;
    this.connections = view.connections;
    this.keychain = view.keychain;
    this.demoBuiltIn = view.demo;
    this.settings = view.settings;
    applyAppearance(view.settings.appearance);
  }

  #put(connection: ConnectionView): void {
    const known = this.connections.some(({ id }) => id === connection.id);
    this.connections = known
      ? this.connections.map((each) => (each.id === connection.id ? connection : each))
      : [...this.connections, connection];
  }

  /** The list of a connection, as it was left. */
  #keysOf(id: string): Keys {
    this.review = new Review(id, ({ policy }) => (this.policy = policy));
    const known = this.#lists.get(id);
    if (known) return known;
    const keys = this.#newKeys(id);
    this.#lists.set(id, keys);
    return keys;
  }

  #newKeys(id: string): Keys {
    return new Keys(id, {
      toasts: this.toasts,
      dialogs: this.dialogs,
      outbox: this.outbox,
      connectionName: () => this.connections.find((each) => each.id === id)?.name ?? "",
      mayCreateForOthers: () =>
        this.connections.find((each) => each.id === id)?.identity?.mayCreateForOthers ?? false,
      now: this.#now,
      leadDays: () => this.settings.leadDays,
      signedOut: () => this.#signedOut(id),
    });
  }

  #signedOut(id: string): void {
    this.connections = this.connections.map((each) =>
      each.id === id ? { ...each, state: "needsSignIn" } : each,
    );
  }

  // What is confirmed late, or was asked elsewhere

  #left(ends: readonly OutboxEndView[]): void {
    for (const { item } of ends) {
      const { action, connection, keyUid: uid } = item;
      this.toasts.dismissAbout(aboutRecord({ action, connection, uid }));
    }
    for (const keys of this.#lists.values()) keys.left(ends);
  }

  #sayEnds(ends: readonly OutboxEndView[]): void {
    const confirmed = ends.filter(({ end }) => end.kind === "confirmed");
    for (const [did, action] of [
      ["Revoked", "revoke"],
      ["Deleted", "delete"],
    ] as const) {
      const mine = confirmed.filter(({ item }) => item.action === action);
      const [one] = mine;
      if (!one) continue;
      const back = action === "revoke" ? mine.filter(({ key }) => key?.status === "revoked") : [];
      const names = mine.slice(0, 5).map(({ item }) => inSentence(item));
      const more = mine.length - names.length;
      const proof =
        one.end.kind === "confirmed" && one.end.refusedAt !== null
          ? refused(one.end.refusedAt)
          : "";
      const where =
        one.item.connection === this.activeId ? "" : `In ${short(one.item.connectionName)}.`;
      this.toasts.show({
        tone: "ok",
        text:
          mine.length === 1
            ? `${did} ${inSentence(one.item)}.`
            : `${did} ${count(mine.length, "key")}.`,
        detail:
          mine.length === 1
            ? [proof, where].filter((part) => part !== "").join(" ") || undefined
            : `${names.join(", ")}${more > 0 ? ` and ${more} more` : ""}.`,
        action: back.length > 0 ? { label: "Undo", run: () => this.#undo(back) } : undefined,
      });
    }
  }

  #undo(ends: readonly OutboxEndView[]): void {
    const isHere = ({ item }: OutboxEndView) => item.connection === this.keys?.connection;
    this.keys?.undo(ends.filter(isHere).flatMap(({ key }) => (key ? [key] : [])));
    void this.#undoElsewhere(ends.filter((end) => !isHere(end)));
  }

  /** Takes back one line of the time line; what puts a key out of service is asked first. */
  undo(line: ActivityView): void {
    const target = { kind: "line" as const, line: line.id };
    if (line.act === "reactivate") this.#askUndo(line, "Revoke");
    else void this.undoing.run(target);
  }

  /**
   * Ctrl+Z: what a toast offers to take back, else the last reversible act of this connection. One
   * that is not fresh any more, or that would put a key out of service, is asked first.
   */
  async undoLast(): Promise<void> {
    const toast = this.toasts.undoable;
    if (toast?.action) {
      this.toasts.dismiss(toast.id);
      toast.action.run();
      return;
    }
    if (this.activeId === null) return;
    try {
      const line = await call("last_reversible", { connection: this.activeId });
      if (!line) this.toasts.show({ text: "There is nothing to undo here." });
      else if (this.#now() - line.at > FRESH) this.#askUndo(line, "Undo");
      else this.undo(line);
    } catch (thrown) {
      this.say(toFailure(thrown));
    }
  }

  #askUndo(line: ActivityView, action: "Undo" | "Revoke"): void {
    const danger = line.act === "reactivate";
    this.dialogs.confirm({
      connection: line.connection,
      title: danger ? `Revoke ${short(line.keyName ?? "the key")} again?` : "Undo this?",
      lines: [
        `${sentenceOf(line).join("")}, ${exact(line.at, this.#now())}`,
        ...(line.keyName !== null && line.keyUid
          ? [`Key: ${nameAndUid({ name: line.keyName, uid: line.keyUid })}`]
          : []),
        ...(line.ownerName ? [`Owner: ${person(line.ownerName)}`] : []),
      ],
      action: danger ? "Revoke" : action,
      tone: danger ? "danger" : "neutral",
      onConfirm: () => void this.undoing.run({ kind: "line", line: line.id }),
    });
  }

  /** Opens "Found a key?". */
  askFound(): void {
    if (this.connections.length > 0) this.dialogs.open({ kind: "foundKey" });
  }

  /** Takes back revocations of connections that are not open. */
  async #undoElsewhere(ends: readonly OutboxEndView[]): Promise<void> {
    for (const { item } of ends) {
      const { connection, keyUid: uid } = item;
      const target = { kind: "act" as const, connection, uid, act: "revoke" as const };
      const problem = await this.undoing.quietly(target);
      if (problem === null) {
        this.toasts.show({
          tone: "ok",
          text: `Re-activated ${inSentence(item)}.`,
          detail: `In ${short(item.connectionName)}.`,
        });
      } else {
        this.toasts.show({
          tone: "bad",
          text: `${inSentence(item)} was not re-activated. ${present(problem.code).title}.`,
          detail: problem.message,
        });
      }
    }
  }

  // Tray, notices, the end

  /** Reads how the app lives on without its window. */
  async readBackground(): Promise<void> {
    try {
      this.background = await call("background", null);
    } catch (thrown) {
      this.say(toFailure(thrown));
    }
  }

  /** Pauses the notices until then; null ends the pause. */
  async pauseNotices(until: number | null): Promise<void> {
    try {
      this.background = await call("pause_notices", { until });
    } catch (thrown) {
      this.say(toFailure(thrown));
    }
  }

  /** Ends the app: the person was told what waits. */
  async quit(): Promise<void> {
    try {
      await call("quit", { anyway: true });
    } catch (thrown) {
      this.say(toFailure(thrown));
    }
  }

  /** This computer's clock. */
  now(): number {
    return this.#now();
  }

  // Values, which stay in Rust

  /** Copies the stored value of a key; says so. */
  async copyKey(key: KeyView, shape: CopyShape = "value"): Promise<void> {
    const source = this.stored(key);
    if (source) await this.copy(source, shape);
  }

  /** Copies a value; the clipboard's countdown shows that it worked. */
  async copy(source: ValueSource, shape: CopyShape = "value"): Promise<boolean> {
    const problem = await this.clipboard.copy(source, shape);
    if (problem) this.say(problem);
    return problem === null;
  }

  /** Clears what we put on the clipboard. */
  async clearClipboard(): Promise<void> {
    const problem = await this.clipboard.clear();
    if (problem) this.say(problem);
  }

  /** Shows a value in its own short-lived window. */
  async reveal(source: ValueSource): Promise<void> {
    try {
      await call("reveal_value", source);
    } catch (thrown) {
      this.say(toFailure(thrown));
    }
  }

  /** Where the value of a key is, when it is stored here. */
  stored(key: KeyView): ValueSource | null {
    return this.activeId !== null && key.flags.includes("inKeychain")
      ? { kind: "stored", connection: this.activeId, uid: key.uid }
      : null;
  }

  /**
   * Opens "Save your API key" for a value nobody has kept yet. A creation may end after the page that asked for it was reloaded: its value then waits, and
   * nobody here was told.
   */
  async #openWhatWaits(): Promise<void> {
    if (this.dialogs.any) return;
    try {
      const [held] = await call("held_values", null);
      // A roll that is at work keeps its value by itself.
      const roll = held ? this.keys?.roll(held.held) : null;
      if (roll && roll.step !== "handOver") return;
      if (held && !this.dialogs.any) this.openHeld(held);
    } catch {
      // It is asked again with the next change, and the window does not close while a value waits.
    }
  }

  /** Opens "Save your API key" for a value of this connection that nobody has kept. */
  async openUnkept(connection: string): Promise<void> {
    try {
      const waiting = await call("held_values", null);
      const held = waiting.find((each) => each.connection === connection);
      if (held) this.openHeld(held);
    } catch (thrown) {
      this.say(toFailure(thrown));
    }
  }

  /** Opens "Save your API key". */
  openHeld(held: HeldView): void {
    this.dialogs.open({ kind: "held", held });
  }

  // Settings and keychain

  /** Saves the settings; what is shown follows at once. */
  async saveSettings(settings: Settings): Promise<ErrorView | null> {
    const before = this.settings;
    this.settings = settings;
    applyAppearance(settings.appearance);
    try {
      this.settings = await call("save_settings", settings);
      if (settings.leadDays !== before.leadDays) void this.keys?.reload();
      // Where the policy says nothing of it, this counts: in forms and in the review.
      if (settings.longestLifeDays !== before.longestLifeDays) await this.readPolicy();
      return null;
    } catch (thrown) {
      this.settings = before;
      applyAppearance(before.appearance);
      return toFailure(thrown);
    }
  }

  /** Light, dark, or as the desktop is; says it where that cannot be saved. */
  async setAppearance(appearance: Appearance): Promise<void> {
    const problem = await this.saveSettings({ ...this.settings, appearance });
    if (problem) this.say(problem);
  }

  /** Saves what the list shows under a name, or gives a saved view another; null: it is saved. */
  async saveView(name: string, renames: string | null): Promise<ErrorView | null> {
    const { keys, settings } = this;
    if (!keys) return null;
    const { savedViews } = settings;
    // Before it is shown: the list of views has each name once.
    if (name !== renames && savedViews.some((each) => each.name === name)) {
      return {
        code: "settingInvalid",
        message: "There is a view of that name already. Nothing was saved.",
        details: null,
      };
    }
    return this.saveSettings({
      ...settings,
      savedViews:
        renames === null
          ? [...savedViews, keys.asSaved(name)]
          : savedViews.map((each) => (each.name === renames ? { ...each, name } : each)),
    });
  }

  /** Takes a saved view away; the list stays as it is. */
  async removeView(view: SavedView): Promise<void> {
    const { settings } = this;
    const { savedViews } = settings;
    const without = savedViews.filter(({ name }) => name !== view.name);
    const problem = await this.saveSettings({ ...settings, savedViews: without });
    if (problem) {
      this.say(problem);
      return;
    }
    const back = async () => {
      // Views that were saved since stay.
      const now = this.settings.savedViews;
      if (now.some(({ name }) => name === view.name)) return;
      const again = await this.saveSettings({
        ...this.settings,
        savedViews: now.toSpliced(savedViews.indexOf(view), 0, view),
      });
      if (again) this.say(again);
    };
    this.toasts.show({
      tone: "ok",
      text: `Removed the view ${view.name}.`,
      action: { label: "Undo", run: () => void back() },
    });
  }

  /** Tries the keychain again. */
  async checkKeychain(): Promise<void> {
    try {
      this.keychain = await call("check_keychain", null);
      if (this.keychain.state === "ready" && this.active?.state === "keychainUnavailable") {
        await this.refresh();
      }
    } catch (thrown) {
      this.say(toFailure(thrown));
    }
  }

  /**
   * Says a failure that has no place of its own on screen; `about` takes the place of what was said
   * of the same.
   */
  say(problem: ErrorView, about?: string): void {
    if (problem.code === "cancelled") return;
    this.toasts.show({
      tone: "bad",
      about,
      text: `${present(problem.code).title}.`,
      detail: problem.message,
    });
  }

  /** Opens "New API key". */
  askCreate(): void {
    if (!this.keys) return;
    this.dialogs.open({ kind: "create" });
    // What it may save depends on the keychain, which says nothing of itself.
    void this.readConnections();
  }

  /** Opens "Offboard a person", for those who see everybody's keys. */
  askOffboard(person: { uid: string; name: string } | null = null): void {
    if (this.keys && this.seesEveryone) this.dialogs.open({ kind: "offboard", person });
  }

  /** Writes a report of keys to a file that the person picks, and says so. */
  async exportReport(format: ReportFormat, scope: "shown" | "all"): Promise<void> {
    const { keys } = this;
    if (!keys) return;
    const shown = scope === "shown";
    try {
      const { file, keys: number } = await call("export_report", {
        connection: keys.connection,
        format,
        uids: shown ? [...keys.order] : null,
        filter: shown ? keys.filterWords : "",
      });
      this.toasts.show({
        tone: "ok",
        text: `Exported a report of ${count(number, "key")}.`,
        detail: `Saved as ${file}.`,
      });
    } catch (thrown) {
      this.say(toFailure(thrown));
    }
  }

  /** Names one press of a button. */
  newOpId(): string {
    return newOpId();
  }
}

/** The window's controller, from any component. */
export const [useApp, provideApp] = createContext<App>();
