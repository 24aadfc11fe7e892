import { describe, expect, it } from "vitest";
import type { OutboxItemView } from "../ipc";
import { countActs, keyOf, notConfirmed, quitLines, standing, until, when } from "./words";

const NOW = Date.UTC(2026, 10, 23, 13, 2);

const item = (part: Partial<OutboxItemView> = {}): OutboxItemView => ({
  record: "r",
  connection: "acme",
  connectionName: "acme",
  keyUid: "66e844c44bab2337f20c7471",
  keyName: "ci-prod",
  ownerName: "Jane Doe",
  action: "revoke",
  askedAt: NOW,
  attempts: 0,
  state: "waiting",
  problem: null,
  lastTriedAt: null,
  nextTryAt: null,
  recorded: true,
  ...part,
});
const deletion = item({ action: "delete" });
const held = item({ recorded: false });

describe("how many", () => {
  it.each<[OutboxItemView[], string]>([
    [[], ""],
    [[item()], "1 revocation"],
    [[item(), item()], "2 revocations"],
    [[deletion], "1 deletion"],
    [[item(), deletion, deletion], "1 revocation and 2 deletions"],
  ])("%#", (items, words) => expect(countActs(items)).toBe(words));

  it("is said in the status bar", () => {
    expect(notConfirmed([], [])).toBe("");
    expect(notConfirmed([item()], [])).toBe("1 revocation not confirmed yet");
    expect(notConfirmed([], [{ record: "x", words: "" }])).toBe("1 record cannot be read");
  });
});

describe("how a record stands", () => {
  const problem = { code: "unauthorized" as const, message: "No.", details: null };
  it.each<[Partial<OutboxItemView>, boolean, string]>([
    [{}, false, "not tried yet, on its way"],
    [{}, true, "not tried yet"],
    [{ nextTryAt: NOW - 1 }, false, "not tried yet, waits for its turn"],
    [{ nextTryAt: NOW + 1 }, false, "not tried yet, next try in 1 s"],
    [{ attempts: 1, nextTryAt: NOW + 39_500 }, false, "tried once, next try in 40 s"],
    [{ attempts: 2, nextTryAt: NOW - 1 }, false, "tried twice, next try now"],
    [{ attempts: 3, nextTryAt: NOW + 290_000 }, false, "tried 3 times, next try in 5 min"],
    [{ attempts: 1, state: "accepted" }, false, "not read back yet, tried once"],
    [
      { attempts: 4, state: "blocked", problem, nextTryAt: NOW + 900_000 },
      false,
      "tried 4 times, next try in 15 min",
    ],
  ])("%#", (part, elsewhere, words) =>
    expect(standing(item(part), NOW, elsewhere).join(", ")).toBe(words),
  );

  it("counts down without a zero", () => {
    expect([until(NOW + 1, NOW), until(NOW, NOW), until(NOW + 100_001, NOW)]).toEqual([
      "in 1 s",
      "now",
      "in 2 min",
    ]);
  });

  it("names the day when it is not today", () => {
    expect(when(NOW - 3_600_000, NOW, "UTC")).toBe("12:02");
    expect(when(NOW - 86_400_000, NOW, "UTC")).toBe("22 Nov, 13:02");
  });

  it("names a key without a name by the end of its uid", () => {
    expect(keyOf(item({ keyName: "" }))).toEqual({ name: "(no name)", end: "…0c7471" });
  });
});

describe("what quitting means", () => {
  it.each<[OutboxItemView[], string[]]>([
    [[], []],
    [
      [item()],
      ["1 revocation is not confirmed yet. It is written down and goes on at the next start."],
    ],
    [
      [item(), item()],
      ["2 revocations are not confirmed yet. They are written down and go on at the next start."],
    ],
    [
      [item(), held],
      [
        "1 revocation is not confirmed yet. It is written down and goes on at the next start.",
        "1 revocation is not written down and would be lost: the key may still work.",
      ],
    ],
    [
      [held, held],
      ["2 revocations are not written down and would be lost: these keys may still work."],
    ],
  ])("%#", (items, lines) => expect(quitLines(items)).toEqual(lines));
});
