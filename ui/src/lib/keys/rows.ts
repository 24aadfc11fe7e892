import type { Flag, KeyListView, KeyView, Status } from "../ipc";

/** A key with what search and sort need, worked out once per list and not per keystroke. */
export interface Row {
  readonly key: KeyView;
  readonly uid: string;
  /** Name, description, owner, e-mail and uid in lower case. */
  readonly text: string;
  readonly owner: string;
  /** The name and the owner's name in the form they are ordered by. */
  readonly nameOrder: string;
  readonly ownerOrder: string;
  readonly flags: ReadonlySet<Flag>;
}

/** Makes the row of a key. */
export function toRow(key: KeyView): Row {
  return {
    key,
    uid: key.uid,
    text: [key.name, key.description, key.ownerName, key.ownerEmail ?? "", key.uid]
      .join("\n")
      .toLowerCase(),
    owner: `${key.ownerName} ${key.ownerEmail ?? ""}`.toLowerCase(),
    nameOrder: orderOf(key.name),
    ownerOrder: orderOf(key.ownerName),
    flags: new Set(key.flags),
  };
}

/**
 * A text whose plain comparison orders as people do: case and accents aside, and "a2" before
 * "a10". Comparing with a collator instead takes several frames for 6,000 keys.
 */
function orderOf(text: string): string {
  // Only letters beyond ASCII can carry accents.
  const plain = /[^ -~]/.test(text) ? text.normalize("NFD").replace(/\p{M}/gu, "") : text;
  return plain.toLowerCase().replace(/\d+/g, (digits) => digits.padStart(12, "0"));
}

/**
 * Makes the rows of a list; a key that did not change keeps its row, so that what is
 * on screen for it is left alone.
 */
export function toRows(keys: readonly KeyView[], before: ReadonlyMap<string, Row>): Row[] {
  return keys.map((key) => {
    const old = before.get(key.uid);
    return old && same(old.key, key) ? old : toRow(key);
  });
}

/** The list after an answer that holds only what differs from it, or all of it anew. */
export function merged(list: KeyListView, answer: KeyListView): KeyListView {
  if (answer.since === null) return answer;
  if (answer.keys.length === 0 && answer.gone.length === 0) return { ...answer, keys: list.keys };
  const changed = new Map(answer.keys.map((key) => [key.uid, key]));
  const gone = new Set(answer.gone);
  const kept = list.keys
    .filter(({ uid }) => !gone.has(uid))
    .map((key) => {
      const other = changed.get(key.uid);
      changed.delete(key.uid);
      return other ?? key;
    });
  return { ...answer, keys: [...kept, ...changed.values()] };
}

function same(a: KeyView, b: KeyView): boolean {
  if (a === b) return true;
  return (
    a.name === b.name &&
    a.status === b.status &&
    a.expires === b.expires &&
    a.modified === b.modified &&
    a.description === b.description &&
    a.ownerUid === b.ownerUid &&
    a.ownerName === b.ownerName &&
    a.ownerEmail === b.ownerEmail &&
    a.ownerState === b.ownerState &&
    a.madeBy === b.madeBy &&
    a.created === b.created &&
    a.mine === b.mine &&
    a.may.update === b.may.update &&
    a.may.delete === b.may.delete &&
    a.pair?.uid === b.pair?.uid &&
    a.pair?.name === b.pair?.name &&
    a.pair?.ends === b.pair?.ends &&
    a.flags.length === b.flags.length &&
    a.flags.every((flag, index) => flag === b.flags[index])
  );
}

/** The views of the sidebar, in their order. */
export const views = [
  { id: "all", name: "All" },
  { id: "mine", name: "Mine" },
  { id: "expiring", name: "Expiring" },
  { id: "expired", name: "Expired" },
  { id: "revoked", name: "Revoked" },
  { id: "neverExpires", name: "Never expires" },
  { id: "ownerGone", name: "Owner gone" },
  { id: "inKeychain", name: "In keychain" },
] as const;

/** Names one view. */
export type ViewId = (typeof views)[number]["id"];

/** Whether a row belongs to a view. */
export function inView(row: Row, view: ViewId): boolean {
  switch (view) {
    case "all":
      return true;
    case "mine":
      return row.key.mine;
    case "expiring":
    case "expired":
    case "revoked":
      return row.key.status === view;
    case "neverExpires":
    case "ownerGone":
    case "inKeychain":
      return row.flags.has(view);
  }
}

/** How many rows each view holds. */
export function countViews(rows: readonly Row[]): Record<ViewId, number> {
  const counts = Object.fromEntries(views.map(({ id }) => [id, 0])) as Record<ViewId, number>;
  for (const row of rows) for (const { id } of views) if (inView(row, id)) counts[id]++;
  return counts;
}

/** The words for a status. */
export const statusWords: Record<Status, string> = {
  active: "Active",
  expiring: "Expiring",
  expired: "Expired",
  revoked: "Revoked",
};
