import type { Grace, KeyView, RollStep, RollView } from "../ipc";
import { short } from "../keys/names";
import { exact, relative } from "../keys/time";

/** How long the old key goes on: the choices of "Old key ends". */
export const graces: readonly { value: Grace; label: string }[] = [
  { value: "now", label: "Now" },
  { value: "hour", label: "1 hour" },
  { value: "day", label: "24 hours" },
  { value: "week", label: "7 days" },
  { value: "month", label: "30 days" },
];

const HOUR = 3_600_000;
const lengths: Record<Grace, number> = {
  now: 0,
  hour: HOUR,
  day: 24 * HOUR,
  week: 7 * 24 * HOUR,
  month: 30 * 24 * HOUR,
};

/** When the old key ends, in words: its own end stays where it comes first. */
export function graceWords(old: KeyView, grace: Grace, now: number): string {
  if (grace === "now") return "It is revoked as soon as the new key works.";
  const ends = now + lengths[grace];
  if (old.expires !== null && old.expires <= ends) {
    return old.expires <= now
      ? `It has ended already, ${relative(old.expires, now)}.`
      : `It ends ${exact(old.expires, now)} already; that stays.`;
  }
  return `It goes on until ${exact(ends, now)}, then it ends on the server.`;
}

/** The graces that would make the old key go on for longer than it does now. */
export function longerGraces(roll: RollView, now: number): { value: Grace; label: string }[] {
  const { oldEnds: ends } = roll;
  if (ends === null) return [];
  return graces.filter(({ value }) => now + lengths[value] > ends + 60_000);
}

/** "6 d", "3 h", "12 min": short enough for a row. */
export function shortly(at: number, now: number): string {
  const left = Math.max(at - now, 0);
  if (left < HOUR) return `${Math.max(1, Math.ceil(left / 60_000))} min`;
  if (left < 48 * HOUR) return `${Math.ceil(left / HOUR)} h`;
  return `${Math.ceil(left / (24 * HOUR))} d`;
}

/** What a key's part in a running roll is called. */
export interface PairWords {
  role: "old" | "new";
  whole: string;
  /** What a row shows of it, which has little room. */
  shown: string;
}

/** What a key's part in a running roll is called in its row; none: it has no part in one. */
export function pairWords({ pair, expires }: KeyView, now: number): PairWords | null {
  if (!pair) return null;
  const of = (whole: string, shown = whole) => ({ role: pair.role, whole, shown });
  if (pair.role === "new") return of(`Replaces ${short(pair.name)}`);
  const ends = pair.ends === null ? null : expires;
  if (ends === null || ends <= now) return of("Rolling");
  const left = shortly(ends, now);
  return of(`Rolling (ends in ${left})`, `Rolling (${left})`);
}

/** One thing a roll does, in words. */
export interface Stage {
  text: string;
  state: "done" | "doing" | "failed" | "todo";
}

const places: Record<RollStep, number> = {
  asked: 0,
  lost: 0,
  orphaned: 0,
  made: 1,
  handOver: 1,
  kept: 2,
  proved: 3,
  ending: 4,
  revoking: 4,
  rolling: 5,
  cancelling: 4,
  cancelRevoking: 4,
};

/** What a roll has done, does and will do; `failed`: something stands in the way of what it does. */
export function stagesOf(
  step: RollStep,
  {
    mine,
    signsIn,
    old,
    failed = false,
  }: { mine: boolean; signsIn: boolean; old: string; failed?: boolean },
): Stage[] {
  const place = places[step];
  const stages: [at: number, text: string][] = [
    [0, "Make the new key"],
    [1, mine ? "Save its value to the keychain" : "Hand its value over"],
    ...(mine ? [[2, "Try the new value"] as [number, string]] : []),
    ...(signsIn ? [[3, "Sign in with it"] as [number, string]] : []),
    [4, `Move the end of ${short(old)}`],
  ];
  const at = stages.findIndex(([at]) => at >= place);
  const now = failed ? "failed" : "doing";
  return stages.map(([, text], index) => ({
    text,
    state: at < 0 || index < at ? "done" : index === at ? now : "todo",
  }));
}
