/** A review in memory, simpler than core's: enough to look at every part of the screen. */
import type {
  FindingView,
  KeyView,
  PolicyView,
  ReviewView,
  Rule,
  Severity,
  SpreadView,
  Suggestion,
} from "../src/lib/ipc";

const DAY = 86_400_000;

/** What was accepted. */
export interface FakeAccepted {
  rule: Rule;
  uid: string;
  reason: string;
  until: number;
}

const rules: { rule: Rule; name: string; severity: Severity }[] = [
  { rule: "ownerGone", name: "Owner gone", severity: "actNow" },
  { rule: "neverEnds", name: "Never expires", severity: "actNow" },
  { rule: "expiringSoon", name: "Expires soon", severity: "thisMonth" },
  { rule: "noDescription", name: "No description", severity: "cleanUp" },
  { rule: "revokedNotDeleted", name: "Revoked and not deleted", severity: "cleanUp" },
];

/** The policy of the fake tenant. */
export function fakePolicy(): PolicyView {
  return {
    path: "/home/jane/policy.toml",
    problem: null,
    counts: true,
    longestLifeDays: 90,
    namePattern: null,
    descriptionRequired: false,
    forbidNeverEnding: false,
    thresholds: {
      ownerNotSeenDays: 90,
      neverRolledDays: 180,
      expiredDays: 14,
      revokedDays: 30,
      expiringDays: null,
      quotaPercent: 90,
      pileUp: 5,
    },
    rules: rules.map((rule) => ({ ...rule, about: `About ${rule.name}.`, byPolicy: false })),
  };
}

function dateOf(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}

/** Reviews the fake tenant's keys. */
export function fakeReview(
  keys: readonly KeyView[],
  now: number,
  user: boolean,
  accepted: readonly FakeAccepted[] = [],
): ReviewView {
  const isOpen = (rule: Rule) => (key: KeyView) =>
    !accepted.some((each) => each.rule === rule && each.uid === key.uid);
  const findings: FindingView[] = [];
  const add = (
    rule: Rule,
    severity: Severity,
    suggestion: Suggestion,
    about: readonly KeyView[],
    title: string,
    evidence: string,
  ) => {
    if (about.length === 0) return;
    findings.push({
      id: `${rule}:${about[0]?.uid}`,
      rule,
      severity,
      title,
      evidence,
      keys: about.map(({ uid }) => uid),
      working: about.filter(({ status }) => status !== "revoked" && status !== "expired").length,
      suggestion,
    });
  };
  const names = (some: readonly KeyView[]) => some.map(({ name }) => name).join(", ");
  const live = keys.filter(({ status }) => status !== "revoked");
  const gone = live.filter(({ flags }) => flags.includes("ownerGone")).filter(isOpen("ownerGone"));
  add(
    "ownerGone",
    "actNow",
    "revoke",
    gone,
    `${gone.length} keys of people who are gone`,
    `${names(gone)} (Lena Petrov, not among the people). Two of them still work.`,
  );
  for (const key of live.filter(({ expires }) => expires === null).filter(isOpen("neverEnds")))
    add(
      "neverEnds",
      "actNow",
      "setEnd",
      [key],
      `${key.name} never expires`,
      `Made 412 days ago by ${key.ownerName}, who last signed in on 3 March.`,
    );
  const soon = live.filter(({ status }) => status === "expiring").filter(isOpen("expiringSoon"));
  for (const key of soon.slice(0, 3)) {
    const stored = key.flags.includes("inKeychain");
    const value = stored ? " You hold its value: it can be rolled without downtime." : "";
    add(
      "expiringSoon",
      "thisMonth",
      stored ? "roll" : "renew",
      [key],
      `${key.name} ends in 5 days`,
      `${key.description || "Of " + key.ownerName}.${value}`,
    );
  }
  const revoked = keys.filter(({ status }) => status === "revoked");
  const old = revoked.filter(isOpen("revokedNotDeleted"));
  add(
    "revokedNotDeleted",
    "cleanUp",
    "delete",
    old,
    `${old.length} revoked keys are older than 30 days`,
    `${names(old)}. Deleting frees ${old.length} places of the owners’ limits.`,
  );
  const days = new Map<string, KeyView[]>();
  for (const key of live) {
    const { expires } = key;
    if (expires === null || expires < now - 30 * DAY || expires > now + 90 * DAY) continue;
    days.set(dateOf(expires), [...(days.get(dateOf(expires)) ?? []), key]);
  }
  const counted = (severity: Severity) =>
    new Set(findings.filter((each) => each.severity === severity).flatMap((each) => each.keys));
  const pressing = new Set([...counted("actNow"), ...counted("thisMonth")]);
  const offset = (date: string) => Math.round((Date.parse(date) - Date.parse(dateOf(now))) / DAY);
  const pile = [...days].filter(([date, some]) => some.length >= 5 && offset(date) >= 0);
  return {
    connection: "acme",
    revision: 0,
    asOf: now,
    keys: keys.length,
    people: user ? null : 12,
    counts: {
      actNow: counted("actNow").size,
      thisMonth: counted("thisMonth").size,
      cleanUp: counted("cleanUp").size,
      pressing: pressing.size,
    },
    findings,
    accepted: accepted.map((each) => ({
      ...each,
      about: rules.find(({ rule }) => rule === each.rule)?.name ?? each.rule,
      name: keys.find(({ uid }) => uid === each.uid)?.name ?? each.uid,
      byPolicy: false,
    })),
    timeline: {
      today: dateOf(now),
      days: [...days]
        .sort(([a], [b]) => a.localeCompare(b))
        .map(([date, some]) => ({
          offset: offset(date),
          date,
          label: new Date(date).toUTCString().slice(0, 16).replace(",", ""),
          keys: some.map(({ uid }) => uid),
          expired: some.filter(({ status }) => status === "expired").length,
          expiring: some.filter(({ status }) => status === "expiring").length,
          pileUp: some.length >= 5 && offset(date) >= 0,
        })),
      pileUps: pile.map(([date, some]) => ({
        date,
        words: `${some.length} end on ${new Date(date).toUTCString().slice(5, 11)}`,
      })),
    },
    changes: [],
    policy: fakePolicy(),
  };
}

/** Spreads the keys that end on a day, one a day from it. */
export function fakeSpread(keys: readonly KeyView[], date: string): SpreadView {
  const on = keys.filter(({ expires }) => expires !== null && dateOf(expires) === date);
  return {
    date,
    note: "",
    moves: on.map((key, index) => {
      const from = key.expires ?? 0;
      const to = from + index * DAY;
      return {
        uid: key.uid,
        name: key.name,
        owner: key.ownerName,
        from,
        to,
        toWords: new Date(to).toUTCString(),
        date: dateOf(to),
        time: "12:00",
        fixed: false,
      };
    }),
  };
}
