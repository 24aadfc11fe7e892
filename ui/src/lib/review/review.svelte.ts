import {
  call,
  newOpId,
  toFailure,
  type ErrorView,
  type FindingView,
  type KeyView,
  type MoveView,
  type ReviewView,
  type Rule,
  type Severity,
  type SpreadView,
} from "../ipc";
import { count } from "../numbers";

/** What a review needs of the key list. */
export interface ReviewedKeys {
  find: (uid: string) => KeyView | null;
  mayUpdate: (key: KeyView) => boolean;
}

/** Which findings are shown. */
export type Filter = { kind: "severity"; severity: Severity } | { kind: "day"; date: string };

/** The review of one connection. */
export class Review {
  readonly connection: string;

  view = $state.raw<ReviewView | null>(null);
  problem = $state.raw<ErrorView | null>(null);
  filter = $state.raw<Filter | null>(null);

  /** Keys of the chosen day. */
  #day = $derived.by(() => {
    const { filter, view } = this;
    if (filter?.kind !== "day") return null;
    return view?.timeline.days.find(({ date }) => date === filter.date) ?? null;
  });

  /** The queue as filtered. */
  shown = $derived.by<readonly FindingView[]>(() => {
    const { filter } = this;
    const all = this.view?.findings ?? [];
    if (filter === null) return all;
    if (filter.kind === "severity")
      return all.filter(({ severity }) => severity === filter.severity);
    const uids = new Set(this.#day?.keys ?? []);
    return all.filter(({ keys }) => keys.some((uid) => uids.has(uid)));
  });
  /** The chosen day. */
  day = $derived(this.#day);
  /** Keys that a person should decide on soon: the badge. */
  pressing = $derived(this.view?.counts.pressing ?? 0);

  readonly #took: (view: ReviewView) => void;
  #loading = false;
  #again = false;

  /** `took`: called with each review that was read. */
  constructor(connection: string, took: (view: ReviewView) => void = () => undefined) {
    this.connection = connection;
    this.#took = took;
  }

  /** Reads the review of what is known. Asked for meanwhile, it is read once more. */
  async load(): Promise<void> {
    if (this.#loading) {
      this.#again = true;
      return;
    }
    this.#loading = true;
    try {
      do {
        this.#again = false;
        this.view = await call("review", { connection: this.connection });
        this.problem = null;
        this.#took(this.view);
      } while (this.#again);
    } catch (thrown) {
      this.problem = toFailure(thrown);
    } finally {
      this.#loading = false;
    }
  }

  /** Shows the findings of one severity, or all when these are shown already. */
  toggleSeverity(severity: Severity): void {
    const on = this.filter?.kind === "severity" && this.filter.severity === severity;
    this.filter = on ? null : { kind: "severity", severity };
  }

  /** Shows the findings of one day, or all when these are shown already. */
  toggleDay(date: string): void {
    const on = this.filter?.kind === "day" && this.filter.date === date;
    this.filter = on ? null : { kind: "day", date };
  }

  /** Lives with a finding. Rejects with a `CallError` for the dialog to show. */
  async keep(
    opId: string,
    finding: Pick<FindingView, "rule" | "keys">,
    reason: string,
    until: number,
  ): Promise<void> {
    const { connection } = this;
    const { rule, keys } = finding;
    this.view = await call("accept_finding", { opId, connection, rule, keys, reason, until });
  }

  /** Takes an acceptance back. Rejects with a `CallError` for the dialog to show. */
  async takeBack(rule: Rule, uid: string): Promise<void> {
    const { connection } = this;
    this.view = await call("take_back_finding", { opId: newOpId(), connection, rule, keys: [uid] });
  }

  /** How the keys of a day would be spread. Rejects with a `CallError` for the dialog to show. */
  planSpread(date: string): Promise<SpreadView> {
    return call("plan_spread", { connection: this.connection, date });
  }
}

/** The ends that a plan really moves. */
export function moving(plan: SpreadView): MoveView[] {
  return plan.moves.filter(({ from, to, fixed }) => from !== to && !fixed);
}

/** The keys of a finding that its act may touch: there, and the caller may. */
export function touchable(finding: FindingView, keys: ReviewedKeys): KeyView[] {
  const known = finding.keys.flatMap((uid) => keys.find(uid) ?? []);
  switch (finding.suggestion) {
    case "revoke":
      return known.filter((key) => keys.mayUpdate(key) && key.status !== "revoked");
    case "delete":
      return known.filter((key) => key.may.delete);
    case "show":
      return known;
    default:
      return known.filter((key) => keys.mayUpdate(key));
  }
}

/** The words of a finding's first button; none: there is nothing that the caller may do. */
export function actWords(
  finding: Pick<FindingView, "suggestion">,
  keys: number,
  days: number,
): string | null {
  const one = keys === 1;
  if (keys === 0) return null;
  switch (finding.suggestion) {
    case "revoke":
      return one ? "Revoke…" : `Revoke all ${keys}…`;
    case "setEnd":
      return one ? `Set ${days} days…` : `Set an end for ${keys}…`;
    case "roll":
      return one ? "Roll…" : `Show ${keys}…`;
    case "renew":
      return one ? "Renew…" : `Renew ${keys}…`;
    case "delete":
      return one ? "Delete…" : `Delete ${keys}…`;
    case "edit":
      return one ? "Edit…" : `Show ${keys}…`;
    case "show":
      return one ? "Show…" : `Show ${keys}…`;
  }
}

/** "Checked 14:02 · 38 keys · 12 people · policy: 90 days at most" */
export function summary(view: ReviewView, at: string | null): string {
  const parts = [at === null ? "Not read yet" : `Checked ${at}`, count(view.keys, "key")];
  if (view.people !== null) parts.push(count(view.people, "person", "people"));
  const longest = view.policy.longestLifeDays;
  if (longest !== null)
    parts.push(
      `${view.policy.path === null ? "longest life" : "policy"}: ${count(longest, "day")} at most`,
    );
  return parts.join(" · ");
}

/** The words for a severity. */
export const severityWords: Record<Severity, string> = {
  actNow: "Act now",
  thisMonth: "This month",
  cleanUp: "Clean up",
  off: "Off",
};
