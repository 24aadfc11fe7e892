import type { FieldChange, KeyState } from "../ipc";
import { visible } from "../keys/names";
import { clock, day } from "../keys/time";

/** A change in words: "Expires", "28 Nov 2026", "28 Dec 2026". */
export interface ChangeWords {
  label: string;
  before: string;
  after: string;
}

const LABELS: Record<keyof KeyState, string> = {
  name: "Name",
  description: "Description",
  expires: "Expires",
  active: "Status",
};

/** What a field of a key is called. */
export function labelOf(field: keyof KeyState): string {
  return LABELS[field];
}

/** A value of a field in words. Times are milliseconds since 1970. */
export function valueWords(
  field: keyof KeyState,
  value: KeyState[keyof KeyState],
  zone?: string,
): string {
  if (field === "active") return value === true ? "Active" : "Revoked";
  // Seen from 1970 every date has its year.
  if (field === "expires") return typeof value === "number" ? day(value, 0, zone) : "Never";
  const text = String(value ?? "");
  // A description may have several lines, a name has one.
  return (field === "name" ? visible(text) : text) || "Empty";
}

/** A change in words. The time of day is said where the days alone would be the same. */
export function changeWords(change: FieldChange, zone?: string): ChangeWords {
  const { field, before, after } = change;
  let words = [valueWords(field, before, zone), valueWords(field, after, zone)];
  if (field === "expires" && before !== null && after !== null && words[0] === words[1]) {
    words = [before, after].map((at) => `${day(at, 0, zone)}, ${clock(at, zone)}`);
  }
  return { label: labelOf(field), before: words[0] ?? "", after: words[1] ?? "" };
}

/** What there is to say of a line: its own sentence says already that a key was revoked. */
export function changesInWords(changes: readonly FieldChange[]): ChangeWords[] {
  return changes.filter(({ field }) => field !== "active").map((change) => changeWords(change));
}
