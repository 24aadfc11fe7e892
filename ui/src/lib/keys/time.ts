/** Times in words. Pure: the present moment and the zone are passed in. */
import { count } from "../numbers";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;

/**
 * "in 5 days", "2 days ago", "in 12 minutes". Both are milliseconds since 1970.
 * What lies ahead is rounded up and what is past rounded down, as in the notices.
 */
export function relative(at: number, now: number): string {
  const ahead = at - now;
  if (ahead > 0) return ahead < MINUTE ? "in less than a minute" : `in ${amount(ahead, Math.ceil)}`;
  return ahead > -MINUTE ? "just now" : `${amount(-ahead, Math.floor)} ago`;
}

function amount(length: number, round: (value: number) => number): string {
  if (length < HOUR) return count(round(length / MINUTE), "minute");
  if (length < 2 * DAY) return count(round(length / HOUR), "hour");
  if (length < 2 * YEAR) return count(round(length / DAY), "day");
  return count(round(length / YEAR), "year");
}

/** Whole days between two moments, rounded up. */
export function daysBetween(from: number, to: number): number {
  return Math.ceil((to - from) / DAY);
}

/** Milliseconds of so many of a unit: `h`, `d`, `w`, `m` (30 days), `y` (365 days). */
export function duration(number: number, unit: "h" | "d" | "w" | "m" | "y"): number {
  return number * { h: HOUR, d: DAY, w: 7 * DAY, m: 30 * DAY, y: YEAR }[unit];
}

const formats = new Map<string, Intl.DateTimeFormat>();

function format(locale: string, zone: string | undefined, options: Intl.DateTimeFormatOptions) {
  const key = `${locale}|${zone}|${JSON.stringify(options)}`;
  let made = formats.get(key);
  if (!made) {
    made = new Intl.DateTimeFormat(locale, { ...options, timeZone: zone });
    formats.set(key, made);
  }
  return made;
}

function parts(
  at: number,
  zone: string | undefined,
  options: Intl.DateTimeFormatOptions,
): Partial<Record<Intl.DateTimeFormatPartTypes, string>> {
  return Object.fromEntries(
    format("en-GB", zone, options)
      .formatToParts(at)
      .map(({ type, value }) => [type, value]),
  );
}

/** "14:02" */
export function clock(at: number, zone?: string): string {
  return format("en-GB", zone, { hour: "2-digit", minute: "2-digit" }).format(at);
}

/** "14:02:31" */
export function clockToSecond(at: number, zone?: string): string {
  return format("en-GB", zone, { hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(
    at,
  );
}

const months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/** "29 Oct", with the year when it is not this one. */
export function day(at: number, now: number, zone?: string): string {
  // Rows say it by the hundred in a frame, and Intl takes ten times as long.
  if (zone === undefined) {
    const date = new Date(at);
    const short = `${date.getDate()} ${months[date.getMonth()]}`;
    const year = date.getFullYear();
    return year === new Date(now).getFullYear() ? short : `${short} ${year}`;
  }
  const p = parts(at, zone, { day: "numeric", month: "short", year: "numeric" });
  const short = `${p.day} ${month(p.month)}`;
  return p.year === yearOf(now, zone) ? short : `${short} ${p.year}`;
}

/** "3 Nov, 14:02" within this year, else "3 Nov 2025". */
export function dayAndTime(at: number, now: number, zone?: string): string {
  const date = day(at, now, zone);
  return yearOf(at, zone) === yearOf(now, zone) ? `${date}, ${clock(at, zone)}` : date;
}

/** "Sat 28 Nov, 18:00 CET", with the year when it is not this one. */
export function exact(at: number, now: number, zone?: string): string {
  return `${weekday(at, zone)} ${day(at, now, zone)}, ${clock(at, zone)} ${zoneName(at, zone)}`;
}

/** "Sat 28 Nov 2026, 18:00 CET (17:00 UTC)": for tooltips, where nothing is left out. */
export function inFull(at: number, zone?: string): string {
  const p = parts(at, zone, { day: "numeric", month: "short", year: "numeric" });
  const local = `${weekday(at, zone)} ${p.day} ${month(p.month)} ${p.year}, ${clock(at, zone)} ${zoneName(at, zone)}`;
  const name = zoneName(at, zone);
  if (name === "UTC") return local;
  const sameDay =
    format("en-GB", zone, { dateStyle: "short" }).format(at) ===
    format("en-GB", "UTC", { dateStyle: "short" }).format(at);
  const utc = sameDay ? clock(at, "UTC") : `${weekday(at, "UTC")} ${clock(at, "UTC")}`;
  return `${local} (${utc} UTC)`;
}

function weekday(at: number, zone?: string): string {
  return parts(at, zone, { weekday: "short" }).weekday ?? "";
}

/** "Sept" in British data; four letters would not line up. */
function month(name: string | undefined): string {
  return (name ?? "").slice(0, 3);
}

function yearOf(at: number, zone?: string): string {
  return parts(at, zone, { year: "numeric" }).year ?? "";
}

/** "CET" where the zone has letters, "GMT+5:30" where it has none. */
function zoneName(at: number, zone?: string): string {
  const names = ["en-GB", "en-US"].map(
    (locale) =>
      format(locale, zone, { timeZoneName: "short" })
        .formatToParts(at)
        .find(({ type }) => type === "timeZoneName")?.value ?? "UTC",
  );
  return names.find((name) => !/^GMT[+-]/.test(name)) ?? names[0] ?? "UTC";
}
