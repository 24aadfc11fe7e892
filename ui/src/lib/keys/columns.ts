/** The columns of the list by the room there is. Pure: the list and what stands for it while it is
    read share them, so that nothing jumps. */
import type { ListColumn } from "../ipc";

/** How many columns have room. */
export type Breadth = "wide" | "usual" | "tight" | "least";

/** The columns' widths in pixels; what is not named has none, and the name has the rest. */
const widths = {
  wide: { tick: 44, status: 106, owner: 170, expires: 104, created: 96, keychain: 30, more: 44 },
  usual: { tick: 44, status: 106, owner: 148, expires: 100, created: 96, keychain: 30, more: 38 },
  tight: { tick: 44, status: 106, owner: 44, expires: 92, keychain: 32, more: 36 },
  least: { tick: 40, status: 96, expires: 84, more: 32 },
} as const satisfies Record<Breadth, Partial<Record<string, number>>>;

/** The room in a list of so many pixels; none yet is taken for the usual. */
export function breadthOf(width: number): Breadth {
  if (width === 0 || width > 600) return width >= 820 ? "wide" : "usual";
  return width > 440 ? "tight" : "least";
}

/** The columns that can be put away, in their order. */
export const movable: readonly ListColumn[] = ["owner", "expires", "created", "keychain"];

/** What is shown of the columns that can be put away. */
export function columnsIn(breadth: Breadth, hidden: readonly ListColumn[]): ListColumn[] {
  const away = new Set(hidden);
  const room = new Set<string>(Object.keys(widths[breadth]));
  // With the others there, names would have too little.
  if (breadth === "usual" && !away.has("owner") && !away.has("expires")) room.delete("created");
  return movable.filter((column) => room.has(column) && !away.has(column));
}

/** Tick, status, name, the given ones and the row's menu, as a grid's template. */
export function templateOf(breadth: Breadth, columns: readonly ListColumn[]): string {
  const room: Partial<Record<string, number>> = widths[breadth];
  const rest = [...columns, "more"].map((column) => `${room[column]}px`);
  return `${room.tick}px ${room.status}px minmax(0, 1fr) ${rest.join(" ")}`;
}
