import type { KeyView, ListOrder, Status } from "../ipc";
import type { Row } from "./rows";

/** What the list can be sorted by. */
export type SortColumn = ListOrder;

/** What the columns are called. */
export const headings: Record<SortColumn, string> = {
  status: "Status",
  name: "Name",
  owner: "Owner",
  expires: "Expires",
  created: "Created",
  keychain: "Keychain",
};

/** A chosen order. */
export interface Sort {
  column: SortColumn;
  descending: boolean;
}

/** Next trouble first. */
export const trouble: Sort = { column: "expires", descending: false };

const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

const statusRank: Record<Status, number> = { expiring: 0, active: 1, expired: 2, revoked: 3 };
/** Usable keys, then ended ones, then revoked ones, whichever way the dates run. */
const useRank: Record<Status, number> = { expiring: 0, active: 0, expired: 1, revoked: 2 };

/**
 * The rows in the chosen order; equal ones by name and then by uid, so that none ever jumps.
 * A row with an entry in `places` stands where that one would.
 */
export function sorted(
  rows: readonly Row[],
  { column, descending }: Sort,
  places: ReadonlyMap<string, Row> = new Map(),
): Row[] {
  if (places.size > 0) {
    const stand = rows.map((row) => places.get(row.uid) ?? row);
    const real = new Map(rows.map((row) => [row.uid, row]));
    return sorted(stand, { column, descending }).flatMap(({ uid }) => real.get(uid) ?? []);
  }
  return [...rows].sort(comparison({ column, descending }));
}

function comparison({ column, descending }: Sort): (a: Row, b: Row) => number {
  const way = descending ? -1 : 1;
  return (a, b) =>
    compare(a, b, column, way) || byText(a.nameOrder, b.nameOrder) || (a.uid < b.uid ? -1 : 1);
}

/** Sorts a list again and again: when a few rows changed, only those find new places. */
export class Sorter {
  #order: readonly Row[] = [];
  #by: Sort | null = null;

  /** As {@link sorted}. */
  sorted(rows: readonly Row[], by: Sort, places: ReadonlyMap<string, Row> = new Map()): Row[] {
    if (places.size > 0) return sorted(rows, by, places);
    const order = this.#again(rows, by) ?? sorted(rows, by);
    this.#order = order;
    this.#by = by;
    return order;
  }

  #again(rows: readonly Row[], by: Sort): Row[] | null {
    if (this.#by?.column !== by.column || this.#by.descending !== by.descending) return null;
    const before = new Set(this.#order);
    const fresh = rows.filter((row) => !before.has(row));
    if (fresh.length > rows.length / 8) return null;
    const now = new Set(rows);
    const kept = this.#order.filter((row) => now.has(row));
    if (fresh.length === 0) return kept;
    const compared = comparison(by);
    fresh.sort(compared);
    const order: Row[] = [];
    let next = 0;
    for (const row of kept) {
      for (let each = fresh[next]; each && compared(each, row) < 0; each = fresh[++next])
        order.push(each);
      order.push(row);
    }
    return [...order, ...fresh.slice(next)];
  }
}

function compare(a: Row, b: Row, column: SortColumn, way: 1 | -1): number {
  switch (column) {
    case "name":
      return way * byText(a.nameOrder, b.nameOrder);
    case "owner":
      return way * byText(a.ownerOrder, b.ownerOrder);
    case "created":
      return way * (a.key.created - b.key.created);
    case "keychain":
      return -way * (Number(a.flags.has("inKeychain")) - Number(b.flags.has("inKeychain")));
    case "status":
      return way * (statusRank[a.key.status] - statusRank[b.key.status]) || end(a.key) - end(b.key);
    case "expires":
      return useRank[a.key.status] - useRank[b.key.status] || way * byEnd(a.key, b.key);
  }
}

/** Usable keys: the one that ends next first. Ended ones: the one that ended last first. */
function byEnd(a: KeyView, b: KeyView): number {
  if (a.status === "expired") return end(b) - end(a);
  if (a.status === "revoked") return (b.modified ?? b.created) - (a.modified ?? a.created);
  const difference = end(a) - end(b);
  return Number.isNaN(difference) ? 0 : difference;
}

/** The end as a number; a key that never ends comes after all that do. */
function end(key: KeyView): number {
  return key.expires ?? Number.MAX_SAFE_INTEGER;
}

/** The next order when a header is pressed. */
export function pressed(sort: Sort, column: SortColumn): Sort {
  return sort.column === column
    ? { column, descending: !sort.descending }
    : { column, descending: column === "created" };
}
