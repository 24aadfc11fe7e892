import { describe, expect, it } from "vitest";
import { clock, day, dayAndTime, daysBetween, exact, inFull, relative } from "./time";

const NOW = Date.UTC(2026, 10, 23, 13, 2);
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

describe("relative", () => {
  it.each([
    [5 * DAY, "in 5 days"],
    [4 * DAY + HOUR, "in 5 days"],
    [47 * HOUR, "in 47 hours"],
    [48 * HOUR, "in 2 days"],
    [HOUR, "in 1 hour"],
    [59 * MINUTE, "in 59 minutes"],
    [MINUTE, "in 1 minute"],
    [10_000, "in less than a minute"],
    [140 * DAY, "in 140 days"],
    [730 * DAY, "in 2 years"],
    [900 * DAY, "in 3 years"],
    [0, "just now"],
    [-59_000, "just now"],
    [-2 * MINUTE, "2 minutes ago"],
    [-(2 * DAY + 20 * HOUR), "2 days ago"],
    [-18.9 * DAY, "18 days ago"],
    [-800 * DAY, "2 years ago"],
  ])("says %i ms away as %s", (away, words) => {
    expect(relative(NOW + away, NOW)).toBe(words);
  });
});

describe("dates", () => {
  const berlin = "Europe/Berlin";
  const end = Date.UTC(2026, 10, 28, 17, 0);

  it("leaves this year out and names another", () => {
    expect(day(end, NOW, berlin)).toBe("28 Nov");
    expect(day(Date.UTC(2027, 0, 12, 17), NOW, berlin)).toBe("12 Jan 2027");
    expect(day(Date.UTC(2026, 8, 3, 12), NOW, berlin), "no four-letter month").toBe("3 Sep");
  });

  it("names the zone with letters where it has some", () => {
    expect(exact(end, NOW, berlin)).toBe("Sat 28 Nov, 18:00 CET");
    expect(exact(end, NOW, "America/New_York")).toBe("Sat 28 Nov, 12:00 EST");
    expect(exact(end, NOW, "Asia/Kolkata")).toBe("Sat 28 Nov, 22:30 GMT+5:30");
  });

  it("adds the same moment in UTC, and its weekday when that differs", () => {
    expect(inFull(end, berlin)).toBe("Sat 28 Nov 2026, 18:00 CET (17:00 UTC)");
    expect(inFull(end, "UTC")).toBe("Sat 28 Nov 2026, 17:00 UTC");
    expect(inFull(Date.UTC(2026, 10, 28, 23, 30), berlin)).toBe(
      "Sun 29 Nov 2026, 00:30 CET (Sat 23:30 UTC)",
    );
  });

  it("shows the time of recent things only", () => {
    expect(dayAndTime(Date.UTC(2026, 10, 3, 13, 2), NOW, berlin)).toBe("3 Nov, 14:02");
    expect(dayAndTime(Date.UTC(2025, 10, 3, 13, 2), NOW, berlin)).toBe("3 Nov 2025");
    expect(clock(NOW, berlin)).toBe("14:02");
  });
});

it("counts days, a begun one as a whole", () => {
  expect(daysBetween(NOW, NOW + 29.5 * DAY)).toBe(30);
});
