/**
 * The grammar of the search box: words, and `owner: status: expires: created: is: has:`.
 *
 *   ci owner:jane status:expiring expires:<30d created:>1y is:never has:secret -"old name"
 *
 * Words and filters are joined by "and"; a minus in front turns one round; quotes hold a
 * text with spaces. What cannot be understood is reported and filters nothing.
 */
import type { Flag, Status } from "../ipc";
import type { Row } from "./rows";
import { duration } from "./time";

/** Something in the search that could not be understood. */
export interface QueryProblem {
  /** The part as typed. */
  part: string;
  /** What is wrong with it and what would be right. */
  words: string;
}

/** A search, ready to be asked of every row. */
export interface Query {
  matches: (row: Row) => boolean;
  problems: QueryProblem[];
  /** True when it filters nothing. */
  empty: boolean;
}

type Test = (row: Row, now: number) => boolean;

const statuses: readonly Status[] = ["active", "expiring", "expired", "revoked"];

const states: Record<string, Test> = {
  never: flag("neverExpires"),
  orphan: flag("ownerGone"),
  inactive: flag("ownerInactive"),
  mine: (row) => row.key.mine,
  app: flag("signsIn"),
  revoking: flag("revoking"),
  active: status("active"),
  expiring: status("expiring"),
  expired: status("expired"),
  revoked: status("revoked"),
};

const holdings: Record<string, Test> = {
  secret: flag("inKeychain"),
  description: (row) => row.key.description !== "",
  owner: (row) => row.key.ownerUid !== "" && row.key.ownerState !== "gone",
};

function flag(name: Flag): Test {
  return (row) => row.flags.has(name);
}

function status(name: Status): Test {
  return (row) => row.key.status === name;
}

/** Reads a search. `now` is the server's clock in milliseconds since 1970. */
export function parse(text: string, now: number): Query {
  const tests: Test[] = [];
  const problems: QueryProblem[] = [];
  for (const part of split(text)) {
    const negated = part.startsWith("-") && part.length > 1;
    const body = negated ? part.slice(1) : part;
    const test = read(body);
    if (typeof test === "string") problems.push({ part, words: test });
    else if (test) tests.push(negated ? (row, at) => !test(row, at) : test);
  }
  return {
    matches: (row) => tests.every((test) => test(row, now)),
    problems,
    empty: tests.length === 0,
  };
}

/** Parts between spaces; quotes hold spaces and may follow a colon. */
function split(text: string): string[] {
  return text.match(/-?(?:[a-z]+:)?"[^"]*"?|\S+/gi) ?? [];
}

function unquote(text: string): string {
  return text.replaceAll('"', "").trim();
}

/** A test, or words on what is wrong, or nothing for an empty word. */
function read(part: string): Test | string | null {
  const [, name, rest] = /^([a-z]+):(.*)$/is.exec(part) ?? [];
  if (name === undefined || rest === undefined) return word(unquote(part).toLowerCase());
  const value = unquote(rest).toLowerCase();
  switch (name.toLowerCase()) {
    case "owner":
      if (value === "") return "Write a name or e-mail after owner:";
      if (value === "me") return (row) => row.key.mine;
      return (row) => row.owner.includes(value);
    case "status": {
      const found = statuses.filter((each) => value !== "" && each.startsWith(value));
      if (found.length === 0) return `Status is one of ${statuses.join(", ")}.`;
      return (row) => found.includes(row.key.status);
    }
    case "expires":
      return time(value, "expires", (row) => row.key.expires, +1);
    case "created":
      return time(value, "created", (row) => row.key.created, -1);
    case "is":
      return states[value] ?? `is: knows ${Object.keys(states).join(", ")}.`;
    case "has":
      return holdings[value] ?? `has: knows ${Object.keys(holdings).join(", ")}.`;
    // A colon in a name ("team:ci") is a word like any other.
    default:
      return word(unquote(part).toLowerCase());
  }
}

function word(value: string): Test | null {
  return value === "" ? null : (row) => row.text.includes(value);
}

/**
 * `<30d`: within the next (or last) 30 days. `>1y`: farther away than a year.
 * Also a date: `<2027-01-31`, `>2026-12-01`.
 */
function time(
  value: string,
  name: "expires" | "created",
  of: (row: Row) => number | null,
  direction: 1 | -1,
): Test | string {
  if (name === "expires" && value === "never") return (row) => row.key.expires === null;
  const example = name === "expires" ? "expires:<30d" : "created:>1y";
  const wrong = `Write ${example} (h, d, w, m, y) or a date such as ${name}:<2027-01-31.`;
  const [, sign, body] = /^([<>])=?(.+)$/.exec(value) ?? [];
  if (sign === undefined || body === undefined) return wrong;
  const less = sign === "<";
  const [, number, unit] = /^(\d{1,5})([hdwmy])$/.exec(body) ?? [];
  if (number !== undefined && unit !== undefined) {
    const span = duration(Number(number), unit as "h" | "d" | "w" | "m" | "y");
    return (row, now) => {
      const at = of(row);
      if (at === null) return !less;
      const away = direction * (at - now);
      // What has ended is not "within 30 days" any more.
      return less ? away >= 0 && away <= span : away > span;
    };
  }
  const date = /^\d{4}-\d{2}-\d{2}$/.test(body) ? new Date(`${body}T00:00:00`).getTime() : NaN;
  if (Number.isNaN(date)) return wrong;
  return (row) => {
    const at = of(row);
    return at === null ? !less : less ? at < date : at >= date;
  };
}
