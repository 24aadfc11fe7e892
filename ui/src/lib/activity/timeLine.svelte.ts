import { call, listen, newOpId, toFailure } from "../ipc";
import type { ActivityView, ErrorView } from "../ipc";

const PAGE = 50;
/** Milliseconds in which changes are taken together. */
const GATHER = 100;

/** The lines of one day, newest first. */
export interface Day {
  /** "Today", "Yesterday", "Wed 23 Dec 2026". */
  name: string;
  lines: ActivityView[];
}

/** "Activity": what this app did, newest first. */
export class TimeLine {
  /** None: all connections. */
  connection = $state<string | null>(null);
  lines = $state.raw<readonly ActivityView[]>([]);
  /** Nothing was read yet. */
  waiting = $state(true);
  loading = $state(false);
  hasOlder = $state(false);
  problem = $state.raw<ErrorView | null>(null);
  /** The line whose revocation is being undone. */
  undoing = $state<number | null>(null);
  #turn = 0;

  constructor(connection: string | null) {
    this.connection = connection;
  }

  /** Reads from the newest; keeps as many lines on screen as there were. */
  async refresh(): Promise<void> {
    const turn = ++this.#turn;
    const limit = Math.min(Math.max(PAGE, this.lines.length), 200);
    try {
      const lines = await call("list_activity", {
        connection: this.connection,
        before: null,
        limit,
      });
      if (turn !== this.#turn) return;
      this.lines = lines;
      this.hasOlder = lines.length === limit;
      this.problem = null;
    } catch (thrown) {
      if (turn === this.#turn) this.problem = toFailure(thrown);
    } finally {
      if (turn === this.#turn) this.waiting = false;
    }
  }

  async loadOlder(): Promise<void> {
    const last = this.lines.at(-1);
    if (this.loading || !last) return;
    this.loading = true;
    const turn = this.#turn;
    try {
      const older = await call("list_activity", {
        connection: this.connection,
        before: last.id,
        limit: PAGE,
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
    this.lines = [];
    this.waiting = true;
    await this.refresh();
  }

  /** Re-activates what this line revoked. Returns the failure, or nothing. */
  async undo(line: ActivityView): Promise<ErrorView | null> {
    if (this.undoing !== null || !line.keyUid) return null;
    this.undoing = line.id;
    try {
      await call("reactivate_key", {
        opId: newOpId(),
        connection: line.connection,
        uid: line.keyUid,
      });
      await this.refresh();
      return null;
    } catch (thrown) {
      return toFailure(thrown);
    } finally {
      this.undoing = null;
    }
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
    const ends = await Promise.all([listen("keys-changed", soon), listen("outbox-ended", soon)]);
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

/** Lines in days of the local calendar. `now` is passed in. */
export function byDay(lines: readonly ActivityView[], now: Date): Day[] {
  const start = (time: Date) =>
    new Date(time.getFullYear(), time.getMonth(), time.getDate()).getTime();
  const today = start(now);
  const yesterday = start(new Date(now.getFullYear(), now.getMonth(), now.getDate() - 1));
  const days: (Day & { at: number })[] = [];
  for (const line of lines) {
    const at = start(new Date(line.at));
    const last = days.at(-1);
    if (last?.at === at) {
      last.lines.push(line);
      continue;
    }
    const name =
      at === today
        ? "Today"
        : at === yesterday
          ? "Yesterday"
          : dayName.format(at).replace(/,/gu, "");
    days.push({ at, name, lines: [line] });
  }
  return days;
}
