import { beforeEach, describe, expect, it } from "vitest";
import { fakeHost, NOW, type FakeHost } from "../../../tests/fake-host";
import { standIn, type Act, type ActivityView, type ActState } from "../ipc";
import { byDay, TimeLine } from "./timeLine.svelte";
import { sentenceOf } from "./words";

const HOUR = 3_600_000;
let host: FakeHost;

beforeEach(() => {
  host = fakeHost();
  standIn(host);
});

const line = (id: number, part: Partial<ActivityView> = {}): ActivityView => ({
  id,
  at: NOW,
  connection: "acme",
  connectionName: "acme",
  act: "revoke",
  state: "done",
  keyUid: "66e844c44bab2337f20c7471",
  keyName: "ci-prod",
  ownerName: "Jane Doe",
  detail: "",
  canUndo: false,
  ...part,
});

describe("the words of a line", () => {
  const said = (act: Act, state: ActState, part: Partial<ActivityView> = {}) =>
    sentenceOf(line(1, { act, state, ...part })).join("");

  it.each<[Act, ActState, string]>([
    ["revoke", "done", "Revoked ci-prod"],
    ["revoke", "failed", "Could not revoke ci-prod"],
    ["revoke", "unknown", "Asked to revoke ci-prod"],
    ["revoke", "asked", "Asked to revoke ci-prod"],
    ["saveToKeychain", "done", "Saved ci-prod to the keychain"],
    ["signIn", "done", "Signed in to acme"],
  ])("%s, %s: %s", (act, state, words) => expect(said(act, state)).toBe(words));

  it("names a key without a name by the end of its uid", () => {
    expect(said("delete", "done", { keyName: null })).toBe("Deleted …0c7471");
    expect(said("create", "unknown", { keyName: null, keyUid: null })).toBe(
      "Asked to create a key",
    );
  });

  it("claims nothing that was not confirmed", () => {
    expect(said("revoke", "unknown")).not.toContain("Revoked");
  });
});

it("groups by day of the local calendar, newest first", () => {
  const now = new Date(2026, 10, 23, 14, 2);
  const at = (hours: number) => now.getTime() - hours * HOUR;
  const days = byDay(
    [line(3, { at: at(1) }), line(2, { at: at(20) }), line(1, { at: at(24 * 8) })],
    now,
  );
  expect(days.map(({ name, lines }) => [name, lines.length])).toEqual([
    ["Today", 1],
    ["Yesterday", 1],
    ["Sun 15 Nov 2026", 1],
  ]);
});

describe("reading", () => {
  it("loads older lines below, from the last one on", async () => {
    const all = Array.from({ length: 70 }, (_, index) => line(70 - index));
    host.answer("list_activity", ({ before, limit }) =>
      all.filter(({ id }) => before === null || id < before).slice(0, limit),
    );
    const timeLine = new TimeLine("acme");
    await timeLine.refresh();
    expect([timeLine.lines.length, timeLine.hasOlder]).toEqual([50, true]);
    await timeLine.loadOlder();
    expect([timeLine.lines.length, timeLine.hasOlder]).toEqual([70, false]);
    expect(timeLine.lines.at(-1)?.id).toBe(1);
  });

  it("undoes a revocation by re-activating the key", async () => {
    const key = host.keys.find(({ status }) => status === "revoked");
    const timeLine = new TimeLine("acme");
    const problem = await timeLine.undo(line(1, { keyUid: key?.uid ?? null, canUndo: true }));
    expect(problem).toBeNull();
    expect(host.calls.some(({ name }) => name === "reactivate_key")).toBe(true);
  });

  it("keeps the lines that are there when reading fails", async () => {
    const timeLine = new TimeLine("acme");
    await timeLine.refresh();
    const before = timeLine.lines.length;
    host.fail("list_activity", { code: "storeFailed" });
    await timeLine.refresh();
    expect([timeLine.lines.length, timeLine.problem?.code]).toEqual([before, "storeFailed"]);
  });
});
