import type { OutboxItemView, OutboxView } from "../ipc";
import { endOf, short } from "../keys/names";
import { clock, day } from "../keys/time";
import { count, grouped } from "../numbers";

/** "2 revocations", "1 revocation and 3 deletions"; empty for none. */
export function countActs(items: readonly OutboxItemView[]): string {
  const revocations = items.filter(({ action }) => action === "revoke").length;
  const deletions = items.length - revocations;
  return [
    revocations > 0 ? count(revocations, "revocation") : "",
    deletions > 0 ? count(deletions, "deletion") : "",
  ]
    .filter((words) => words !== "")
    .join(" and ");
}

/** "1 revocation not confirmed yet", for the status bar; empty when there is nothing to say. */
export function notConfirmed(
  items: readonly OutboxItemView[],
  damaged: OutboxView["damaged"],
): string {
  if (items.length > 0) return `${countActs(items)} not confirmed yet`;
  return damaged.length > 0 ? `${count(damaged.length, "record")} cannot be read` : "";
}

/** The key's name and the last six of its uid. */
export function keyOf(item: Pick<OutboxItemView, "keyName" | "keyUid">): {
  name: string;
  end: string;
} {
  return { name: short(item.keyName), end: endOf(item.keyUid) };
}

/** A name for a sentence: "ci-prod", or "the key …0c7471" where it has none. */
export function inSentence(item: Pick<OutboxItemView, "keyName" | "keyUid">): string {
  return item.keyName === "" ? `the key ${keyOf(item).end}` : short(item.keyName);
}

/** "14:02", with the day when it is not today's. */
export function when(at: number, now: number, zone?: string): string {
  const today = day(now, now, zone);
  const then = day(at, now, zone);
  return today === then ? clock(at, zone) : `${then}, ${clock(at, zone)}`;
}

/** "3 s", "4 min", rounded up; "now" when the time has come. */
export function until(at: number, now: number): string {
  const seconds = Math.ceil((at - now) / 1000);
  if (seconds <= 0) return "now";
  return seconds < 100 ? `in ${seconds} s` : `in ${Math.ceil(seconds / 60)} min`;
}

/** Tone of a record's badge, and its word. */
export const states = {
  waiting: { tone: "warn", word: "Waiting" },
  accepted: { tone: "busy", word: "Accepted" },
  blocked: { tone: "bad", word: "Needs you" },
} as const;

/**
 * How a record stands, in a few parts: "tried 3 times", "next try in 40 s". What the last answer
 * was is said by its problem.
 */
export function standing(item: OutboxItemView, now: number, sentElsewhere: boolean): string[] {
  const parts: string[] = [];
  if (item.state === "accepted") parts.push("not read back yet");
  parts.push(item.attempts === 0 ? "not tried yet" : `tried ${times(item.attempts)}`);
  // One of many waits for its turn; "next try now" would say the wrong thing of it.
  const isNext = item.nextTryAt !== null && (item.attempts > 0 || item.nextTryAt > now);
  if (isNext && item.nextTryAt !== null) parts.push(`next try ${until(item.nextTryAt, now)}`);
  else if (item.nextTryAt !== null) parts.push("waits for its turn");
  else if (!sentElsewhere && item.state === "waiting") parts.push("on its way");
  return parts;
}

function times(number: number): string {
  return number === 1 ? "once" : number === 2 ? "twice" : `${grouped(number)} times`;
}

/** What quitting now would mean, one line each; empty when everything is confirmed. */
export function quitLines(items: readonly OutboxItemView[]): string[] {
  const kept = items.filter(({ recorded }) => recorded);
  const held = items.filter(({ recorded }) => !recorded);
  const lines: string[] = [];
  if (kept.length > 0) {
    const one = kept.length === 1;
    lines.push(
      `${countActs(kept)} ${one ? "is" : "are"} not confirmed yet. ${one ? "It is" : "They are"} written down and ${one ? "goes" : "go"} on at the next start.`,
    );
  }
  if (held.length > 0) {
    const one = held.length === 1;
    lines.push(
      `${countActs(held)} ${one ? "is" : "are"} not written down and would be lost: ${one ? "the key" : "these keys"} may still work.`,
    );
  }
  return lines;
}
