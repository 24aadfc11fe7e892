/** The geometry of the expiry timeline. Pure. */
import type { DayView } from "../ipc";
import { person } from "../keys/names";

export const BEFORE = 30;
export const AFTER = 90;

/** What a bar is made of, from below. */
export interface Part {
  tone: string;
  count: number;
}

/** A bar of the figure. */
export interface Bar {
  day: DayView;
  /** Its middle, in percent from the left. */
  x: number;
  parts: { tone: string; y: number; height: number }[];
  top: number;
}

/** How wide a day is, in percent. */
export const DAY = 100 / (BEFORE + AFTER);

/** Where a day lies, in percent from the left: the figure is as wide as there is room. */
export function place(offset: number): number {
  return (offset + BEFORE) * DAY;
}

/** The days' bars; `ground` is where they stand and `height` how tall the tallest is. */
export function bars(
  days: readonly DayView[],
  parts: (day: DayView) => Part[],
  size: { ground: number; height: number },
): Bar[] {
  // A lone key is a small bar, not a full one.
  const most = Math.max(6, ...days.map(({ keys }) => keys.length));
  const unit = size.height / most;
  return days.map((day) => {
    let y = size.ground;
    const stacked = parts(day)
      .filter(({ count }) => count > 0)
      .map(({ tone, count }) => {
        const height = Math.max(count * unit, 3);
        y -= height;
        return { tone, y, height };
      });
    return { day, x: place(day.offset), parts: stacked, top: y };
  });
}

/** By status: what has ended, what ends soon, the rest; a pile-up in the colour of danger. */
export function byStatus(day: DayView): Part[] {
  const rest = day.keys.length - day.expired - day.expiring;
  const past = { tone: "past", count: day.expired };
  // One part of each tone: on the day at which the lead time ends, some keys end within it.
  if (day.pileUp) return [past, { tone: "pile", count: day.expiring + rest }];
  return [past, { tone: "soon", count: day.expiring }, { tone: "later", count: rest }];
}

/** The owners with most ends, by name; the others are one. */
export function owners(
  days: readonly DayView[],
  ownerOf: (uid: string) => string,
  most = 4,
): string[] {
  const counts = new Map<string, number>();
  for (const day of days)
    for (const uid of day.keys) {
      const owner = ownerOf(uid);
      counts.set(owner, (counts.get(owner) ?? 0) + 1);
    }
  return [...counts]
    .sort(([a, x], [b, y]) => y - x || a.localeCompare(b))
    .slice(0, most)
    .map(([owner]) => owner);
}

/** By owner: the given ones in their order, then the rest. */
export function byOwner(
  day: DayView,
  known: readonly string[],
  ownerOf: (uid: string) => string,
): Part[] {
  const counts = new Array<number>(known.length + 1).fill(0);
  for (const uid of day.keys) {
    const at = known.indexOf(ownerOf(uid));
    const index = at < 0 ? known.length : at;
    counts[index] = (counts[index] ?? 0) + 1;
  }
  return counts.map((each, index) => ({ tone: `owner-${index}`, count: each }));
}

/** "Ana Ruiz 3, Jane Doe 1 and 2 more": who owns the keys of a day, those with most first. */
export function ownerWords(day: DayView, ownerOf: (uid: string) => string): string {
  const most = 3;
  const all = owners([day], ownerOf, Infinity);
  const number = (owner: string) => day.keys.filter((uid) => ownerOf(uid) === owner).length;
  const named = all.slice(0, most).map((owner) => `${person(owner)} ${number(owner)}`);
  const more = all.length - named.length;
  return `${named.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

/** The day to go to from one, by a key; the same one where there is none. */
export function step(days: readonly DayView[], from: string | null, key: string): string | null {
  if (days.length === 0) return null;
  const at = days.findIndex(({ date }) => date === from);
  const last = days.length - 1;
  const to =
    key === "Home" ? 0 : key === "End" ? last : key === "ArrowLeft" ? at - 1 : at < 0 ? 0 : at + 1;
  return days[Math.min(Math.max(to, 0), last)]?.date ?? null;
}

/** "Sat 30 Jan 2027: 9 keys end" */
export function dayWords(day: DayView): string {
  const all = day.keys.length;
  const one = all === 1;
  const past = day.expired === all;
  const verb = past ? "ended" : one ? "ends" : "end";
  return `${day.label}: ${all} ${one ? "key" : "keys"} ${verb}`;
}
