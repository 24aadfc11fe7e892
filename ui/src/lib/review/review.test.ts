import { describe, expect, it } from "vitest";
import { fakeHost, NOW } from "../../../tests/fake-host";
import { standIn, type DayView, type FindingView, type KeyView } from "../ipc";
import { actWords, Review, summary, touchable } from "./review.svelte";
import {
  bars,
  byOwner,
  DAY,
  byStatus,
  dayWords,
  owners,
  ownerWords,
  place,
  step,
} from "./timeline";
import { outsidePolicy } from "../create/keyName";

function day(offset: number, keys: number, part: Partial<DayView> = {}): DayView {
  return {
    offset,
    date: `2026-12-${String(offset).padStart(2, "0")}`,
    label: `Day ${offset}`,
    keys: Array.from({ length: keys }, (_, index) => `k${offset}-${index}`),
    expired: 0,
    expiring: 0,
    pileUp: false,
    ...part,
  };
}

describe("the timeline", () => {
  const size = { ground: 104, height: 78 };

  it("puts today at a quarter and the last day at the edge", () => {
    expect(place(-30)).toBe(0);
    expect(place(90)).toBe(100);
    expect(place(0)).toBe(25);
    expect(place(8) - place(7)).toBeCloseTo(DAY);
  });

  it("stacks a bar without going over its room", () => {
    const days = [day(1, 1), day(2, 12, { expiring: 3 })];
    for (const bar of bars(days, byStatus, size)) {
      expect(bar.top).toBeGreaterThanOrEqual(size.ground - size.height - 0.001);
      const sum = bar.parts.reduce((all, { height }) => all + height, 0);
      expect(bar.top).toBeCloseTo(size.ground - sum);
    }
    expect(bars(days, byStatus, size)[1]?.parts.map(({ tone }) => tone)).toEqual(["soon", "later"]);
    // On the day at which the lead time ends some keys of a pile-up end within it.
    const pile = byStatus(day(3, 9, { pileUp: true, expired: 1, expiring: 3 }));
    expect(pile).toEqual([
      { tone: "past", count: 1 },
      { tone: "pile", count: 8 },
    ]);
  });

  it("counts by owner, the busiest first and the rest together", () => {
    const ownerOf = (uid: string) => (uid.endsWith("-0") ? "Ana" : "Sam");
    const days = [day(1, 3), day(2, 1)];
    expect(owners(days, ownerOf, 1)).toEqual(["Ana"]);
    expect(byOwner(day(1, 3), ["Ana"], ownerOf).map(({ count }) => count)).toEqual([1, 2]);
    expect(ownerWords(day(1, 3), ownerOf)).toBe("Sam 2, Ana 1");
  });

  it("goes from day to day with the keys, and stops at the ends", () => {
    const days = [day(1, 1), day(5, 1), day(9, 1)];
    const [first, , last] = days.map(({ date }) => date);
    expect(step(days, first ?? null, "ArrowRight")).toBe(days[1]?.date);
    expect(step(days, first ?? null, "ArrowLeft")).toBe(first);
    expect(step(days, last ?? null, "ArrowRight")).toBe(last);
    expect(step(days, null, "End")).toBe(last);
    expect(step([], null, "End")).toBeNull();
    expect(dayWords(day(1, 1))).toBe("Day 1: 1 key ends");
    expect(dayWords(day(1, 2, { expired: 2 }))).toBe("Day 1: 2 keys ended");
  });
});

describe("the review", () => {
  const finding = (part: Partial<FindingView>): FindingView => ({
    id: "x",
    rule: "ownerGone",
    severity: "actNow",
    title: "",
    evidence: "",
    keys: [],
    working: 0,
    suggestion: "revoke",
    ...part,
  });

  it("filters by severity and by day, and back", async () => {
    standIn(fakeHost());
    const review = new Review("acme");
    await review.load();
    const all = review.shown.length;
    expect(all).toBeGreaterThan(2);
    review.toggleSeverity("actNow");
    expect(review.shown.every(({ severity }) => severity === "actNow")).toBe(true);
    review.toggleSeverity("actNow");
    expect(review.shown.length).toBe(all);
    const soon = review.view?.findings.find(({ rule }) => rule === "expiringSoon");
    const on = review.view?.timeline.days.find(({ keys }) => keys.includes(soon?.keys[0] ?? ""));
    review.toggleDay(on?.date ?? "");
    expect(review.shown.map(({ id }) => id)).toContain(soon?.id);
    expect(review.shown.length).toBeLessThan(all);
  });

  it("keeps a finding and takes that back", async () => {
    standIn(fakeHost());
    const review = new Review("acme");
    await review.load();
    const [first] = review.shown;
    if (!first) throw new Error("a finding");
    await review.keep("op", first, "Known", NOW + 1);
    expect(review.shown.map(({ id }) => id)).not.toContain(first.id);
    expect(review.view?.accepted.length).toBe(first.keys.length);
    for (const uid of first.keys) await review.takeBack(first.rule, uid);
    expect(review.shown.map(({ id }) => id)).toContain(first.id);
  });

  it("says what went wrong and keeps what it had", async () => {
    const host = fakeHost();
    standIn(host);
    const review = new Review("acme");
    await review.load();
    host.fail("review", { code: "storeFailed" });
    await review.load();
    expect(review.problem?.code).toBe("storeFailed");
    expect(review.view).not.toBeNull();
  });

  it("offers only what the caller may do", () => {
    const key = (uid: string, part: Partial<KeyView>) => ({ uid, ...part }) as KeyView;
    const all = [
      key("a", { status: "active", may: { update: true, delete: false } }),
      key("b", { status: "revoked", may: { update: true, delete: true } }),
      key("c", { status: "active", may: { update: false, delete: false } }),
    ];
    const keys = {
      find: (uid: string) => all.find((each) => each.uid === uid) ?? null,
      mayUpdate: (each: KeyView) => each.may.update,
    };
    const uids = ["a", "b", "c", "gone"];
    const of = (part: Partial<FindingView>) =>
      touchable(finding({ keys: uids, ...part }), keys).map(({ uid }) => uid);
    expect(of({ suggestion: "revoke" })).toEqual(["a"]);
    expect(of({ suggestion: "delete" })).toEqual(["b"]);
    expect(of({ suggestion: "setEnd" })).toEqual(["a", "b"]);
    expect(of({ suggestion: "show" })).toEqual(["a", "b", "c"]);
    expect(actWords(finding({}), 0, 30)).toBeNull();
    expect(actWords(finding({}), 3, 30)).toBe("Revoke all 3…");
    expect(actWords(finding({ suggestion: "setEnd" }), 1, 30)).toBe("Set 30 days…");
  });

  it("says what was looked at", async () => {
    standIn(fakeHost());
    const review = new Review("acme");
    await review.load();
    if (!review.view) throw new Error("a view");
    expect(summary(review.view, "14:02")).toMatch(
      /^Checked 14:02 · \d+ keys · 12 people · policy: 90 days at most$/,
    );
    expect(summary({ ...review.view, people: null }, null)).not.toContain("people");
  });
});

describe("a name outside the policy", () => {
  const policy = (namePattern: string | null) => ({
    namePattern,
    descriptionRequired: false,
    longestLifeDays: null,
  });
  it("is told before anything is sent, and the whole name has to fit", () => {
    expect(outsidePolicy("ci-prod", policy("[a-z-]+"))).toBeNull();
    expect(outsidePolicy("CI prod", policy("[a-z-]+"))).toContain("[a-z-]+");
    expect(outsidePolicy("x", null)).toBeNull();
    expect(outsidePolicy("x", policy("(?x) only core knows this"))).toBeNull();
  });
});
