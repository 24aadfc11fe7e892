import { call, listen, toFailure } from "../ipc";
import type { ActivityFilter, ActivityView, ErrorView } from "../ipc";
import { EVERYTHING, fitsEntry, isFiltered, toFilter, type Choices } from "./filter";
import { ServerLog } from "./serverLog.svelte";
import { together, type Item } from "./together";

const PAGE = 50;
/** The most lines that one reading gives. */
const MOST = 200;
/** Milliseconds in which changes are taken together. */
const GATHER = 100;

/** The lines of one day, newest first. */
export interface Day {
  /** "Today", "Yesterday", "Wed 23 Dec 2026". */
  name: string;
  items: Item[];
}

/** Which side of the story is shown. */
export type Source = "app" | "server" | "both";

/** "Activity": what this app did and what the server wrote down, newest first. */
export class TimeLine {
  /** None: all connections. */
  connection = $state<string | null>(null);
  source = $state<Source>("app");
  choices = $state.raw<Choices>(EVERYTHING);
  lines = $state.raw<readonly ActivityView[]>([]);
  /** Nothing was read yet. */
  waiting = $state(true);
  loading = $state(false);
  hasOlder = $state(false);
  problem = $state.raw<ErrorView | null>(null);
  readonly log = new ServerLog();
  readonly #now: () => number;
  #filter: ActivityFilter;
  #turn = 0;

  constructor(connection: string | null, now: () => number = Date.now) {
    this.connection = connection;
    this.#now = now;
    this.#filter = toFilter(EVERYTHING, now());
  }

  /** What is on screen. */
  items = $derived.by<Item[]>(() => {
    const { source, choices, lines, log } = this;
    const app = source !== "server";
    const server = source !== "app";
    return together(
      app ? lines : [],
      server ? log.entries.filter((entry) => fitsEntry(entry, choices)) : [],
      {
        app: app && this.hasOlder ? (lines.at(-1)?.at ?? null) : null,
        server: server && log.hasOlder ? (log.entries.at(-1)?.localAt ?? null) : null,
      },
    );
  });

  get isFiltered(): boolean {
    return isFiltered(this.choices);
  }

  /** Something older can be read. */
  get more(): boolean {
    return (
      (this.source !== "server" && this.hasOlder) || (this.source !== "app" && this.log.hasOlder)
    );
  }

  get busy(): boolean {
    return this.loading || (this.source !== "app" && this.log.loading);
  }

  /** Reads from the newest; keeps what was read beyond the newest page. */
  async refresh(): Promise<void> {
    const turn = ++this.#turn;
    const limit = Math.min(Math.max(PAGE, this.lines.length), MOST);
    try {
      const lines = await call("list_activity", {
        connection: this.connection,
        before: null,
        limit,
        filter: this.#filter,
      });
      if (turn !== this.#turn) return;
      const last = lines.at(-1);
      const further =
        lines.length === limit && last ? this.lines.filter(({ id }) => id < last.id) : [];
      // What was read before of what lies beyond has its own "older".
      if (further.length === 0) this.hasOlder = lines.length === limit;
      this.lines = [...lines, ...further];
      this.problem = null;
    } catch (thrown) {
      if (turn === this.#turn) this.problem = toFailure(thrown);
    } finally {
      if (turn === this.#turn) this.waiting = false;
    }
  }

  /** Reads one page further, on the side that the time line waits for. */
  async loadOlder(): Promise<void> {
    const { source, log } = this;
    const app = source !== "server" && this.hasOlder ? (this.lines.at(-1)?.at ?? 0) : -Infinity;
    const server =
      source !== "app" && log.hasOlder ? (log.entries.at(-1)?.localAt ?? 0) : -Infinity;
    if (server > app) await log.loadOlder();
    else await this.#loadOlderLines();
  }

  async #loadOlderLines(): Promise<void> {
    const last = this.lines.at(-1);
    if (this.loading || !last) return;
    this.loading = true;
    const turn = this.#turn;
    try {
      const older = await call("list_activity", {
        connection: this.connection,
        before: last.id,
        limit: PAGE,
        filter: this.#filter,
      });
      if (turn !== this.#turn) return;
      this.lines = [...this.lines, ...older];
      this.hasOlder = older.length === PAGE;
    } catch (thrown) {
      this.problem = toFailure(thrown);
    } finally {
      this.loading = false;
    }
  }

  /** Shows one connection, or all. */
  async show(connection: string | null): Promise<void> {
    this.connection = connection;
    await this.#anew(true);
  }

  /** Shows this app's side, the server's, or both. The server is asked only for its own. */
  async look(source: Source, connection: string | null): Promise<void> {
    this.source = source;
    if (source !== "app" && this.connection !== connection) {
      // The server's log is one connection's.
      this.connection = connection;
      await this.#anew(true);
    } else {
      await this.#readLog();
    }
  }

  /** Leaves out what does not fit. */
  async choose(choices: Choices): Promise<void> {
    // Of the server's log only the span of time is for the server: the rest is chosen from here.
    const ofLog = choices.span !== this.choices.span;
    this.choices = choices;
    await this.#anew(ofLog);
  }

  async #anew(ofLog: boolean): Promise<void> {
    this.#filter = toFilter(this.choices, this.#now());
    this.lines = [];
    this.waiting = true;
    await Promise.all([this.refresh(), ofLog ? this.#readLog() : null]);
  }

  async #readLog(): Promise<void> {
    const { source, connection } = this;
    if (source === "app" || connection === null) return;
    await this.log.read({ connection, uid: null, from: this.#filter.from });
  }

  /** Reads again whenever keys change or something is confirmed, until the returned function is called. */
  async follow(): Promise<() => void> {
    let timer: ReturnType<typeof setTimeout> | null = null;
    // Many at once are one reading.
    const soon = () => {
      timer ??= setTimeout(() => {
        timer = null;
        void this.refresh();
      }, GATHER);
    };
    // What can be undone depends on the keys.
    const ends = await Promise.all([
      listen("activity-changed", soon),
      listen("keys-changed", soon),
      listen("outbox-ended", soon),
    ]);
    return () => {
      if (timer) clearTimeout(timer);
      for (const end of ends) end();
    };
  }
}

const dayName = new Intl.DateTimeFormat("en-GB", {
  weekday: "short",
  day: "numeric",
  month: "short",
  year: "numeric",
});

/** A time line in days of the local calendar. `now` is passed in. */
export function byDay(items: readonly Item[], now: Date): Day[] {
  const start = (time: Date) =>
    new Date(time.getFullYear(), time.getMonth(), time.getDate()).getTime();
  const today = start(now);
  const yesterday = start(new Date(now.getFullYear(), now.getMonth(), now.getDate() - 1));
  const days: (Day & { at: number })[] = [];
  for (const item of items) {
    const at = start(new Date(item.at));
    const last = days.at(-1);
    if (last?.at === at) {
      last.items.push(item);
      continue;
    }
    const name =
      at === today
        ? "Today"
        : at === yesterday
          ? "Yesterday"
          : dayName.format(at).replace(/,/gu, "");
    days.push({ at, name, items: [item] });
  }
  return days;
}
