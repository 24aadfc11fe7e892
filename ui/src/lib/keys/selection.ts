/** Which keys are ticked. Pure: each step gives a new selection. */
export interface Selection {
  readonly uids: ReadonlySet<string>;
  /** Where a range begins when Shift is held. */
  readonly anchor: string | null;
  /** Where the last range ended, so that it can shrink again. */
  readonly end: string | null;
}

/** Nothing ticked. */
export const nothing: Selection = { uids: new Set(), anchor: null, end: null };

/** Ticks or unticks one. */
export function toggle({ uids }: Selection, uid: string): Selection {
  const next = new Set(uids);
  if (!next.delete(uid)) next.add(uid);
  return { uids: next, anchor: uid, end: uid };
}

/** Makes the range that began at the anchor (else at `from`) reach to a key. */
export function extend(
  selection: Selection,
  order: readonly string[],
  from: string,
  to: string,
): Selection {
  const { anchor, end } = selection;
  const start = anchor !== null && order.includes(anchor) ? anchor : from;
  const next = new Set(selection.uids);
  if (anchor === start && end !== null)
    for (const uid of range(order, start, end)) next.delete(uid);
  for (const uid of range(order, start, to)) next.add(uid);
  return { uids: next, anchor: start, end: to };
}

function range(order: readonly string[], from: string, to: string): readonly string[] {
  const [a, b] = [order.indexOf(from), order.indexOf(to)];
  return a < 0 || b < 0 ? [] : order.slice(Math.min(a, b), Math.max(a, b) + 1);
}

/** Ticks all of these, or none when all are ticked already. */
export function toggleAll({ uids }: Selection, order: readonly string[]): Selection {
  const all = order.length > 0 && order.every((uid) => uids.has(uid));
  return all ? nothing : { uids: new Set(order), anchor: null, end: null };
}
