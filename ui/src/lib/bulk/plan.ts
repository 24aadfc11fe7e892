import type { KeyView } from "../ipc";
import { grouped } from "../numbers";

/** What can be done to many keys at once. */
export type BulkKind = "revoke" | "reactivate" | "renew" | "delete";

/** Why a key is left out. */
export type LeftOut =
  "signsIn" | "rolling" | "notAllowed" | "out" | "beingRevoked" | "inService" | "ended" | "going";

/** Some of the keys, and what becomes of them. */
export interface PlanLine {
  /** None: these are acted on. */
  why: LeftOut | null;
  keys: readonly KeyView[];
  /** "31 will be revoked" */
  words: string;
}

/** What will happen to each of the keys that were asked for. */
export interface Plan {
  kind: BulkKind;
  asked: number;
  /** The keys that are acted on. */
  will: readonly KeyView[];
  /** Every key is in exactly one; those that are acted on come first. */
  lines: readonly PlanLine[];
}

/** What is known of a key beside its view. */
export interface PlanFacts {
  /** A revocation is on its way, or the key is revoked. */
  isOut: (key: KeyView) => boolean;
  /** A deletion is on its way. */
  isGoing: (key: KeyView) => boolean;
  /** Its end has passed by the server's clock. */
  hasEnded: (key: KeyView) => boolean;
}

const will: Record<BulkKind, string> = {
  revoke: "will be revoked",
  reactivate: "will be re-activated",
  renew: "will be renewed",
  delete: "will be deleted for ever",
};

/** Words for one key and for several. */
const words: Record<LeftOut, [string, string]> = {
  out: ["is revoked already", "are revoked already"],
  beingRevoked: ["is being revoked already", "are being revoked already"],
  inService: ["is not revoked", "are not revoked"],
  ended: ["has ended and needs a renewal first", "have ended and need a renewal first"],
  going: ["is being deleted already", "are being deleted already"],
  signsIn: ["signs Palette Keys in", "sign Palette Keys in"],
  rolling: ["is part of a roll", "are part of a roll"],
  notAllowed: ["may not be changed by you", "may not be changed by you"],
};

const order = Object.keys(words) as LeftOut[];

/** Says what a bulk act would do, key by key. */
export function planOf(kind: BulkKind, keys: readonly KeyView[], facts: PlanFacts): Plan {
  const acted: KeyView[] = [];
  const left = new Map<LeftOut, KeyView[]>();
  for (const key of keys) {
    const why = leftOut(kind, key, facts, keys.length === 1);
    if (why === null) acted.push(key);
    else left.set(why, [...(left.get(why) ?? []), key]);
  }
  const lines: PlanLine[] = [];
  if (acted.length > 0) {
    lines.push({ why: null, keys: acted, words: `${grouped(acted.length)} ${will[kind]}` });
  }
  for (const why of order) {
    const some = left.get(why);
    if (!some) continue;
    const [one, several] = words[why];
    lines.push({
      why,
      keys: some,
      words: `${grouped(some.length)} ${some.length === 1 ? one : several}`,
    });
  }
  return { kind, asked: keys.length, will: acted, lines };
}

/** The keys left out for one reason. */
export function leftFor(plan: Plan, why: LeftOut): readonly KeyView[] {
  return plan.lines.find((line) => line.why === why)?.keys ?? [];
}

function leftOut(kind: BulkKind, key: KeyView, facts: PlanFacts, isAlone: boolean): LeftOut | null {
  if (kind === "delete" ? !key.may.delete : !key.may.update) return "notAllowed";
  if (kind === "reactivate") {
    if (!facts.isOut(key)) return "inService";
    // A revocation that is not confirmed yet is withdrawn, whatever the end.
    return key.status === "revoked" && facts.hasEnded(key) ? "ended" : null;
  }
  if (kind === "revoke" && facts.isOut(key))
    return key.status === "revoked" ? "out" : "beingRevoked";
  if (kind === "delete" && facts.isGoing(key)) return "going";
  // One that does not work any more signs nobody in. A single one may be renewed: it is asked for.
  const works = key.status === "active" || key.status === "expiring";
  if (key.flags.includes("signsIn") && works && !(isAlone && kind === "renew")) return "signsIn";
  if (key.pair && !isAlone) return "rolling";
  return null;
}
