import { createContext } from "svelte";
import { Clipboard } from "./clipboard.svelte";
import { Dialogs } from "./dialogs.svelte";
import { present } from "./errors";
import {
  call,
  listen,
  newOpId,
  toFailure,
  type ConnectionView,
  type ConnectView,
  type CopyShape,
  type ErrorView,
  type HeldView,
  type KeychainView,
  type KeyView,
  type Settings,
  type StartView,
  type ValueSource,
} from "./ipc";
import { Keys } from "./keys/keys.svelte";
import { applyAppearance, followDesktop } from "./theme";
import { Toasts } from "./toasts.svelte";

/** Which screen is shown. */
export type Route =
  | { kind: "connect"; signInTo: string | null }
  | { kind: "keys" }
  | { kind: "activity" }
  | { kind: "settings" };

const MINUTE = 60_000;
/** A list that is not older than this need not be read again. */
const JUST_READ = 10_000;

/** The window: where it is, which connection is open, and what floats above. */
export class App {
  phase = $state<"starting" | "failed" | "ready">("starting");
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
  });
  keychain = $state.raw<KeychainView>({ state: "ready", name: "Keychain", advice: null });
  demoBuiltIn = $state(false);

  /** The keys of the open connection. */
  keys = $state.raw<Keys | null>(null);
  /** The connection is being opened or signed in to. */
  entering = $state(false);
  paletteOpen = $state(false);

  readonly toasts = new Toasts();
  readonly dialogs = new Dialogs();
  readonly clipboard = new Clipboard();

  active = $derived(this.connections.find(({ id }) => id === this.activeId) ?? null);

  readonly #now: () => number;
  #lastRefresh = 0;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  // From start to end

  /** Asks the shell where we stand and opens what was open. */
  async start(): Promise<void> {
    this.phase = "starting";
    try {
      const view = await call("start", null);
      this.#adopt(view);
      for (const text of view.notices) this.toasts.show({ text, lasts: null });
      this.phase = "ready";
      if (view.active === null) this.go({ kind: "connect", signInTo: null });
      else void this.enter(view.active);
      for (const held of view.held) this.openHeld(held);
    } catch (thrown) {
      this.problem = toFailure(thrown);
      this.phase = "failed";
    }
  }

  /** Hears the shell and the clock until the returned function is called. */
  follow(): () => void {
    const ends: (() => void)[] = [];
    let over = false;
    const until = (pending: Promise<() => void>) =>
      void pending.then((end) => (over ? end() : ends.push(end)));
    until(
      listen("keys-changed", ({ connection, revision }) => {
        if (connection === this.activeId) void this.keys?.catchUp(revision);
        void this.#openWhatWaits();
      }),
    );
    until(
      listen("activity-changed", ({ connection }) => {
        if (connection === this.activeId) void this.keys?.loadDetails();
      }),
    );
    until(listen("connections-changed", () => void this.readConnections()));
    until(listen("held-waiting", (held) => this.openHeld(held)));
    until(this.clipboard.follow());
    ends.push(followDesktop(() => this.settings.appearance));
    const timer = setInterval(() => this.#minutePassed(), MINUTE);
    const focused = () => this.#refreshIfOlderThan(MINUTE);
    window.addEventListener("focus", focused);
    return () => {
      over = true;
      clearInterval(timer);
      window.removeEventListener("focus", focused);
      for (const end of ends) end();
    };
  }

  #minutePassed(): void {
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

  /** Asks the server for the keys again. */
  async refresh(): Promise<void> {
    this.#lastRefresh = this.#now();
    const state = this.active?.state;
    if (this.activeId !== null && state !== "signedIn") await this.enter(this.activeId);
    else await this.keys?.refresh();
  }

  /** Opens a connection: what is remembered at once, then signed in, then fresh. */
  async enter(id: string): Promise<void> {
    this.activeId = id;
    if (this.keys?.connection !== id) this.keys = this.#keysOf(id);
    if (this.route.kind === "connect") this.go({ kind: "keys" });
    const { keys } = this;
    this.entering = true;
    this.#lastRefresh = this.#now();
    try {
      await keys?.reload();
      this.#put(await call("select_connection", { connection: id }));
    } catch (thrown) {
      const problem = toFailure(thrown);
      this.toasts.show({
        tone: "bad",
        text: `${present(problem.code).title}.`,
        detail: problem.message,
      });
    } finally {
      this.entering = false;
    }
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
    this.keys = this.#keysOf(connection.id);
    this.go({ kind: "keys" });
    this.#lastRefresh = this.#now();
    await this.keys.reload();
    // Connecting has just read the keys; only what could not be read then is asked for again.
    const { list } = this.keys;
    if (list?.problem || this.#now() - (list?.asOf ?? 0) > JUST_READ) await this.keys.refresh();
  }

  /** Takes a changed connection. */
  changed(connection: ConnectionView): void {
    this.#put(connection);
  }

  /** Takes what is left after a connection was removed. */
  removed(view: StartView): void {
    this.#adopt(view);
    if (view.active === null) {
      this.activeId = null;
      this.keys = null;
      this.go({ kind: "connect", signInTo: null });
    } else if (view.active !== this.activeId) {
      void this.enter(view.active);
    }
  }

  /** Reads the connections again, without touching what is open. */
  async readConnections(): Promise<void> {
    try {
      const view = await call("start", null);
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

  #keysOf(id: string): Keys {
    return new Keys(id, {
      toasts: this.toasts,
      dialogs: this.dialogs,
      connectionName: () => this.connections.find((each) => each.id === id)?.name ?? "",
      now: this.#now,
      signedOut: () => this.#signedOut(id),
    });
  }

  #signedOut(id: string): void {
    this.connections = this.connections.map((each) =>
      each.id === id ? { ...each, state: "needsSignIn" } : each,
    );
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
      if (held && !this.dialogs.any) this.openHeld(held);
    } catch {
      // It is asked again with the next change, and the window does not close while a value waits.
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
      return null;
    } catch (thrown) {
      this.settings = before;
      applyAppearance(before.appearance);
      return toFailure(thrown);
    }
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

  /** Says a failure that has no place of its own on screen. */
  say(problem: ErrorView): void {
    if (problem.code === "cancelled") return;
    this.toasts.show({
      tone: "bad",
      text: `${present(problem.code).title}.`,
      detail: problem.message,
    });
  }

  /** Opens "New API key". */
  askCreate(): void {
    if (this.keys) this.dialogs.open({ kind: "create" });
  }

  /** Names one press of a button. */
  newOpId(): string {
    return newOpId();
  }
}

/** The window's controller, from any component. */
export const [useApp, provideApp] = createContext<App>();
