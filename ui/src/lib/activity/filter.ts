import type { Act, ActivityFilter, ActState, AuditView } from "../ipc";

/** A kind of act, as a person filters by it. */
export type Kind =
  | "created"
  | "changed"
  | "renewed"
  | "rolled"
  | "revoked"
  | "reactivated"
  | "deleted"
  | "value"
  | "review"
  | "connection";

/** The kinds in their order, with their words. */
export const KINDS: readonly { value: Kind; label: string }[] = [
  { value: "created", label: "Created" },
  { value: "changed", label: "Edited" },
  { value: "renewed", label: "Renewed" },
  { value: "rolled", label: "Rolled" },
  { value: "revoked", label: "Revoked" },
  { value: "reactivated", label: "Re-activated" },
  { value: "deleted", label: "Deleted" },
  { value: "value", label: "Values" },
  { value: "review", label: "Review and reports" },
  { value: "connection", label: "Connections" },
];

/** Complete on purpose: an act that Rust adds does not compile here until it has a kind. */
const KIND_OF: Record<Act, Kind> = {
  connect: "connection",
  signIn: "connection",
  removeConnection: "connection",
  editConnection: "connection",
  create: "created",
  edit: "changed",
  renew: "renewed",
  revoke: "revoked",
  reactivate: "reactivated",
  delete: "deleted",
  copy: "value",
  reveal: "value",
  saveToKeychain: "value",
  saveToFile: "value",
  tryFound: "value",
  exportReport: "review",
  accept: "review",
  takeBack: "review",
  roll: "rolled",
  replace: "rolled",
  rollProve: "rolled",
  rollSwap: "rolled",
  rollEnd: "rolled",
  rollCancel: "rolled",
};

/** What the server's log calls acts of a kind; none: it does not write them down. */
const ACTIONS: Record<Kind, readonly string[]> = {
  created: ["create"],
  changed: ["update"],
  renewed: ["update"],
  rolled: ["create", "update"],
  revoked: ["update", "action", "activity"],
  reactivated: ["update", "action", "activity"],
  deleted: ["delete"],
  value: [],
  review: [],
  connection: [],
};

/** Outcomes, as a person filters by them. */
export const OUTCOME_CHOICES: readonly { value: string; label: string; states: ActState[] }[] = [
  { value: "done", label: "Done", states: ["done"] },
  { value: "failed", label: "Failed", states: ["failed"] },
  { value: "cancelled", label: "Cancelled", states: ["cancelled"] },
  { value: "open", label: "Not confirmed", states: ["asked", "unknown"] },
];

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** Spans of time, as a person filters by them, with their length; today begins at midnight. */
export const SPANS: readonly { value: string; label: string; since: (now: number) => number }[] = [
  { value: "hour", label: "Last hour", since: (now) => now - HOUR },
  { value: "today", label: "Today", since: (now) => new Date(now).setHours(0, 0, 0, 0) },
  { value: "week", label: "Last 7 days", since: (now) => now - 7 * DAY },
  { value: "month", label: "Last 30 days", since: (now) => now - 30 * DAY },
  { value: "year", label: "Last 365 days", since: (now) => now - 365 * DAY },
];

/** What is chosen above the time line; empty texts choose nothing. */
export interface Choices {
  text: string;
  kind: string;
  outcome: string;
  span: string;
}

/** Nothing is left out. */
export const EVERYTHING: Choices = { text: "", kind: "", outcome: "", span: "" };

/** Whether something is left out. */
export function isFiltered({ text, kind, outcome, span }: Choices): boolean {
  return [text.trim(), kind, outcome, span].some((choice) => choice !== "");
}

/** Whether an act is of a kind. */
export function kindOf(act: Act): Kind {
  return KIND_OF[act];
}

/** From when on; none: from the beginning. */
export function since({ span }: Choices, now: number): number | null {
  return SPANS.find(({ value }) => value === span)?.since(now) ?? null;
}

/** The choices as the journal understands them. */
export function toFilter(choices: Choices, now: number): ActivityFilter {
  const { text, kind, outcome } = choices;
  const acts = (Object.keys(KIND_OF) as Act[]).filter((act) => KIND_OF[act] === kind);
  return {
    text: text.trim(),
    acts: kind === "" ? [] : acts,
    states: OUTCOME_CHOICES.find(({ value }) => value === outcome)?.states ?? [],
    from: since(choices, now),
    until: null,
  };
}

/** Whether an entry of the server's log fits. What is in the log was done. */
export function fitsEntry(entry: AuditView, { text, kind, outcome }: Choices): boolean {
  if (outcome !== "" && outcome !== "done") return false;
  const known = KINDS.find(({ value }) => value === kind);
  if (known && !ACTIONS[known.value].includes(entry.action)) return false;
  const said = [entry.keyName, entry.keyUid, entry.actor, entry.message, entry.note]
    .join(" ")
    .toLowerCase();
  return text
    .toLowerCase()
    .split(/\s+/u)
    .every((word) => said.includes(word));
}

/** Whether an entry of the server's log can be the same act, by its kind alone. */
export function isSameKind(act: Act, entry: AuditView): boolean {
  return ACTIONS[KIND_OF[act]].includes(entry.action);
}
