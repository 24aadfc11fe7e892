import { describe, expect, it } from "vitest";
import { NOW, tenantKeys } from "../../../tests/fake-tenant";
import type { KeyView, RollView } from "../ipc";
import { graceWords, longerGraces, pairWords, shortly, stagesOf } from "./words";

const DAY = 86_400_000;
const key = (part: Partial<KeyView>): KeyView => ({ ...(tenantKeys()[0] as KeyView), ...part });

describe("the end of the old key in words", () => {
  it("counts from now, and leaves an end that comes first", () => {
    expect(graceWords(key({ expires: null }), "now", NOW)).toBe(
      "It is revoked as soon as the new key works.",
    );
    expect(graceWords(key({ expires: NOW + 90 * DAY }), "week", NOW)).toMatch(
      /^It goes on until Mon 30 Nov, .*, then it ends on the server\.$/,
    );
    expect(graceWords(key({ expires: NOW + 3 * DAY }), "week", NOW)).toMatch(
      /^It ends Thu 26 Nov, .* already; that stays\.$/,
    );
    expect(graceWords(key({ expires: NOW - DAY }), "hour", NOW)).toBe(
      "It has ended already, 24 hours ago.",
    );
  });

  it("offers only graces that are longer than what is left", () => {
    const left = (days: number) => ({ oldEnds: NOW + days * DAY }) as RollView;
    const labels = (roll: RollView) => longerGraces(roll, NOW).map(({ label }) => label);
    expect(labels(left(6))).toEqual(["7 days", "30 days"]);
    expect(labels(left(7))).toEqual(["30 days"]);
    expect(labels(left(40))).toEqual([]);
    expect(labels({ oldEnds: null } as RollView)).toEqual([]);
  });

  it("is short in a row, rounded up", () => {
    for (const [left, words] of [
      [30_000, "1 min"],
      [59 * 60_000, "59 min"],
      [5 * 3_600_000 + 1, "6 h"],
      [6 * DAY - 1, "6 d"],
      [-5, "1 min"],
    ] as const) {
      expect(shortly(NOW + left, NOW)).toBe(words);
    }
  });
});

describe("a key of a running roll", () => {
  const pair = { roll: "r", uid: "u", name: "ci-next", ends: NOW + 6 * DAY };

  it("says what becomes of it", () => {
    const words = (part: Partial<KeyView>) => pairWords(key(part), NOW)?.whole;
    const end = NOW + 6 * DAY;
    expect(words({ expires: end, pair: { ...pair, role: "old" } })).toBe("Rolling (ends in 6 d)");
    expect(words({ pair: { ...pair, ends: null, role: "old" } })).toBe("Rolling");
    expect(words({ pair: { ...pair, name: "ci", role: "new" } })).toBe("Replaces ci");
    const odd = { ...pair, name: "ci\u200b", role: "new" as const };
    expect(words({ pair: odd })).toBe("Replaces ci⟨U+200B⟩");
    expect(pairWords(key({ pair: null }), NOW)).toBeNull();
  });

  it("is shorter to the eye in a row", () => {
    const old = key({ expires: NOW + 6 * DAY, pair: { ...pair, role: "old" } });
    expect(pairWords(old, NOW)).toMatchObject({
      whole: "Rolling (ends in 6 d)",
      shown: "Rolling (6 d)",
    });
  });
});

describe("the steps of a roll in words", () => {
  const states = (...[step, about]: Parameters<typeof stagesOf>) =>
    stagesOf(step, about).map(({ text, state }) => `${text}: ${state}`);

  it("tries and saves what is one's own", () => {
    const own = { mine: true, signsIn: false, old: "ci" };
    expect(states("asked", own)).toEqual([
      "Make the new key: doing",
      "Save its value to the keychain: todo",
      "Try the new value: todo",
      "Move the end of ci: todo",
    ]);
    expect(states("kept", own)[2]).toBe("Try the new value: doing");
    expect(states("ending", { ...own, failed: true })[3]).toBe("Move the end of ci: failed");
    expect(states("rolling", own).every((line) => line.endsWith(": done"))).toBe(true);
  });

  it("hands over what is somebody else's, and signs in with what signs in", () => {
    expect(states("handOver", { mine: false, signsIn: false, old: "ci" })).toEqual([
      "Make the new key: done",
      "Hand its value over: doing",
      "Move the end of ci: todo",
    ]);
    expect(states("proved", { mine: true, signsIn: true, old: "ci" })[3]).toBe(
      "Sign in with it: doing",
    );
  });
});
