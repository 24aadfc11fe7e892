/**
 * The grammar of the search box: words, and filters such as `owner:` and `expires:`.
 *
 *   ci owner:jane status:expiring expires:<30d created:>1y is:never has:secret -"old name"
 *
 * Words and filters are joined by "and"; a minus in front turns one round; quotes hold a text with
 * spaces, and a backslash in them takes the next character as it is. What cannot be understood is
 * reported with its place and filters nothing.
 */
import type { Flag, Status } from "../ipc";
import type { Haystacks } from "./haystack";
import type { Row } from "./rows";
import { duration } from "./time";

/** The filters, with what each is about. */
export const fields = {
  owner: "name or e-mail of the owner, or me",
  status: "active, expiring, expired or revoked",
  expires: "<30d, >1y, a date, or never",
  created: "<7d, >1y, or a date",
  is: "never, orphan, mine, app …",
  has: "secret, description or owner",
  name: "a part of the name",
  description: "a part of the description",
  email: "a part of the owner's e-mail",
  uid: "a part of the uid",
} as const;

/** Names one filter. */
export type Field = keyof typeof fields;

/** One word or filter of a search. */
export interface Term {
  negated: boolean;
  /** None: a word that is looked for everywhere. */
  field: Field | null;
  /** As typed, without quotes. */
  value: string;
}

/** A term with its place in the text, from the first character to after the last. */
export interface Placed extends Term {
  /** Between quotes: a text as it is. */
  quoted: boolean;
  from: number;
  to: number;
}

/** Something in the search that could not be understood. */
export interface QueryProblem {
  /** The part as typed. */
  part: string;
  /** Where it stands in the text. */
  from: number;
  to: number;
  /** What is wrong with it and what would be right. */
  words: string;
}

/** A search, ready to be asked of every row. */
export interface Query {
  terms: readonly Placed[];
  matches: (row: Row) => boolean;
  /** All rows that match, in their order; the same as `matches` of each, in a fraction of the time. */
  select: (rows: readonly Row[], haystacks: Haystacks) => readonly Row[];
  problems: QueryProblem[];
  /** True when it filters nothing. */
  empty: boolean;
}

type Test = (row: Row, now: number) => boolean;

/** What to look for in a text of each row; it finds what the term's test finds. */
interface Needle {
  in: "text" | "owner" | "status";
  text: string;
}

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
  const words: { needle: Needle; negated: boolean; test: Test }[] = [];
  const tests: Test[] = [];
  const problems: QueryProblem[] = [];
  const terms = split(text);
  for (const term of terms) {
    const test = read(term);
    const { from, to, negated } = term;
    if (typeof test === "string")
      problems.push({ part: text.slice(from, to).replace(/^-/, ""), from, to, words: test });
    if (test === null || typeof test === "string") continue;
    const needle = needleOf(term);
    if (needle) words.push({ needle, negated, test });
    else tests.push(negated ? (row, at) => !test(row, at) : test);
  }
  const passes = (row: Row) => tests.every((test) => test(row, now));
  return {
    terms,
    matches: (row) => words.every(({ test, negated }) => test(row, now) !== negated) && passes(row),
    select: (rows, haystacks) => {
      const fits = new Uint8Array(rows.length).fill(1);
      for (const { needle, negated } of words) {
        const found = haystacks[needle.in].holding(rows, needle.text);
        for (let place = 0; place < fits.length; place++)
          if ((found[place] === 1) === negated) fits[place] = 0;
      }
      return rows.filter(
        tests.length === 0
          ? (_, place) => fits[place] === 1
          : (row, place) => fits[place] === 1 && passes(row),
      );
    },
    problems,
    empty: words.length + tests.length === 0,
  };
}

function isField(name: string): name is Field {
  return Object.hasOwn(fields, name);
}

/** The terms of a text, with their places. */
export function split(text: string): Placed[] {
  const terms: Placed[] = [];
  const length = text.length;
  let at = 0;
  while (at < length) {
    if (/\s/.test(text.charAt(at))) {
      at++;
      continue;
    }
    const from = at;
    const negated = text[at] === "-" && at + 1 < length && !/\s/.test(text.charAt(at + 1));
    if (negated) at++;
    const name = /^([a-z]+):/i.exec(text.slice(at, at + 20))?.[1]?.toLowerCase() ?? "";
    const field = isField(name) ? name : null;
    if (field) at += name.length + 1;
    let value = "";
    const quoted = text[at] === '"';
    if (quoted) {
      at++;
      // A quote that is not closed yet holds the rest: one is still typing. One that is followed by
      // more of a word is part of a text that was pasted between quotes.
      const closes = () => text[at] === '"' && /^(\s|$)/.test(text.slice(at + 1, at + 2));
      for (; at < length && !closes(); at++) {
        if (text[at] === "\\" && at + 1 < length) at++;
        value += text.charAt(at);
      }
      at++;
    } else {
      for (; at < length && !/\s/.test(text.charAt(at)); at++) value += text.charAt(at);
    }
    terms.push({ negated, field, value, quoted, from, to: Math.min(at, length) });
  }
  return terms;
}

/** A term as one would type it: what `split` reads back as the same. */
export function print({ negated, field, value }: Term): string {
  const plain =
    value !== "" &&
    !/\s/.test(value) &&
    !value.startsWith('"') &&
    (field !== null || ((negated || !value.startsWith("-")) && split(value)[0]?.field === null));
  const written =
    plain || (value === "" && field !== null)
      ? value
      : `"${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
  return `${negated ? "-" : ""}${field ? `${field}:` : ""}${written}`;
}

/** Whether a search has a term, however it is written. */
export function holds(text: string, term: string): boolean {
  const [wanted] = split(term);
  return wanted !== undefined && split(text).some((each) => isSame(each, wanted));
}

/** The search with a term more, or without it when it is there. */
export function toggled(text: string, term: string): string {
  const [wanted] = split(term);
  if (!wanted) return text;
  const terms = split(text);
  const kept = terms.filter((each) => !isSame(each, wanted));
  if (kept.length === terms.length) return `${text.trimEnd()} ${term}`.trimStart();
  return kept.map(({ from, to }) => text.slice(from, to)).join(" ");
}

function isSame(a: Term, b: Term): boolean {
  return (
    a.negated === b.negated &&
    a.field === b.field &&
    a.value.toLowerCase() === b.value.toLowerCase()
  );
}

/** Something that could be typed next. */
export interface Suggestion {
  /** The term as it would stand in the text. */
  term: string;
  /** What it is about. */
  hint: string;
  /** The whole text with it in its place. */
  text: string;
}

const values: Partial<Record<Field, Record<string, string>>> = {
  status: {
    active: "works, and will for a while",
    expiring: "ends soon",
    expired: "has ended",
    revoked: "was taken out of service",
  },
  is: {
    never: "never expires",
    orphan: "its owner is gone",
    inactive: "its owner may not sign in",
    mine: "you own it",
    app: "signs this app in",
    revoking: "not confirmed yet",
  },
  has: {
    secret: "its value is in the keychain",
    description: "somebody described it",
    owner: "its owner is still there",
  },
  expires: {
    "<7d": "within a week",
    "<30d": "within 30 days",
    "<90d": "within 90 days",
    ">1y": "later than in a year",
    never: "no end",
  },
  created: { "<7d": "in the last week", ">90d": "before that", ">1y": "over a year ago" },
};

/** What could be meant by the term at the end of a text; `owners` are the names there are. */
export function suggest(text: string, owners: () => readonly string[], most = 5): Suggestion[] {
  const last = split(text).at(-1);
  if (!last || last.to < text.length || last.value.startsWith('"')) return [];
  const { field, negated } = last;
  const typed = last.value.toLowerCase();
  const before = text.slice(0, last.from);
  const of = (term: Term, hint: string, more = " ") => {
    const written = print(term);
    return { term: written, hint, text: before + written + more };
  };
  if (field === null) {
    if (typed === "") return [];
    return Object.entries(fields)
      .filter(([name]) => name.startsWith(typed))
      .slice(0, most)
      .map(([name, hint]) => of({ negated, field: name as Field, value: "" }, hint, ""));
  }
  const known =
    field === "owner"
      ? [["me", "your own"], ...owners().map((name) => [name, "owner"])]
      : Object.entries(values[field] ?? {});
  return known
    .flatMap(([value, hint]) =>
      value !== undefined && hint !== undefined ? [{ value, hint }] : [],
    )
    .filter(({ value }) => {
      const whole = value.toLowerCase();
      const begins = whole.startsWith(typed) || (field === "owner" && whole.includes(` ${typed}`));
      return begins && whole !== typed;
    })
    .slice(0, most)
    .map(({ value, hint }) => of({ negated, field, value }, hint));
}

/** What is looked for. */
function wordOf({ value }: Term): string {
  return value.trim().toLowerCase();
}

/** The term as something to be found in a text, where it can be put so. */
function needleOf(term: Term): Needle | null {
  const text = wordOf(term);
  if (term.field === null) return { in: "text", text };
  if (term.field === "owner") return text === "me" ? null : { in: "owner", text };
  return term.field === "status" ? { in: "status", text: `:${text}` } : null;
}

/** A test, or words on what is wrong, or nothing for an empty word. */
function read(term: Placed): Test | string | null {
  const { field } = term;
  const value = wordOf(term);
  switch (field) {
    case null:
      return word(value, term.quoted);
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
      return own(states, value) ?? `is: knows ${Object.keys(states).join(", ")}.`;
    case "has":
      return own(holdings, value) ?? `has: knows ${Object.keys(holdings).join(", ")}.`;
    case "name":
      return part(value, field, (row) => row.key.name);
    case "description":
      return part(value, field, (row) => row.key.description);
    case "email":
      return part(value, field, (row) => row.key.ownerEmail ?? "");
    case "uid":
      return part(value, field, (row) => row.uid);
  }
}

function own(tests: Record<string, Test>, name: string): Test | undefined {
  return Object.hasOwn(tests, name) ? tests[name] : undefined;
}

function part(value: string, field: Field, of: (row: Row) => string): Test | string {
  if (value === "") return `Write ${fields[field]} after ${field}:`;
  return (row) => of(row).toLowerCase().includes(value);
}

/**
 * A colon in a name ("team:ci") is a letter like any other, but a slip in a filter is told. Between
 * quotes nothing is a filter.
 */
function word(value: string, quoted: boolean): Test | string | null {
  const [, name] = (!quoted && /^([a-z]{4,}):/.exec(value)) || [];
  const meant = name && Object.keys(fields).find((field) => isSlip(name, field));
  if (meant) return `There is no ${name}: here. Did you mean ${meant}: ?`;
  return value === "" ? null : (row) => row.text.includes(value);
}

/** One letter more, less, other, or two of them swapped. */
function isSlip(typed: string, meant: string): boolean {
  if (Math.abs(typed.length - meant.length) > 1) return false;
  let at = 0;
  while (at < typed.length && typed[at] === meant[at]) at++;
  const rest = (text: string, from: number) => text.slice(from);
  return (
    rest(typed, at + 1) === rest(meant, at + 1) ||
    rest(typed, at + 1) === rest(meant, at) ||
    rest(typed, at) === rest(meant, at + 1) ||
    (typed[at] === meant[at + 1] &&
      typed[at + 1] === meant[at] &&
      rest(typed, at + 2) === rest(meant, at + 2))
  );
}

/**
 * `<30d`: within the next (or last) 30 days. `>1y`: farther away than a year.
 * Also a date: `<2027-01-31` (before that day), `<=2027-01-31` (with it), `>2026-12-01` (from it on).
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
  const [, sign, equal, body] = /^([<>])(=?)(.+)$/.exec(value) ?? [];
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
  // "Up to and with that day", where it is written so.
  const bound = less && equal === "=" ? new Date(date).setDate(new Date(date).getDate() + 1) : date;
  return (row) => {
    const at = of(row);
    return at === null ? !less : less ? at < bound : at >= bound;
  };
}
