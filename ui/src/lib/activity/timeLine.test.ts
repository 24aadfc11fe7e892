import { beforeEach, describe, expect, it } from "vitest";
import { fakeHost, NOW, type FakeHost } from "../../../tests/fake-host";
import { standIn, type Act, type ActivityView, type ActState, type AuditView } from "../ipc";
import { changesInWords, changeWords } from "./changes";
import { EVERYTHING, fitsEntry, type Choices } from "./filter";
import { ServerLog } from "./serverLog.svelte";
import { byDay, TimeLine } from "./timeLine.svelte";
import { together } from "./together";
import { sentenceOf, undoWords } from "./words";

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
  changes: [],
  canUndo: false,
  undoes: null,
  ...part,
});

const entry = (id: number, part: Partial<AuditView> = {}): AuditView => ({
  uid: `audit-${id}`,
  at: NOW,
  localAt: NOW,
  action: "update",
  message: "API key 'ci-prod' revoked",
  note: "",
  actor: "Jane Doe",
  keyUid: "66e844c44bab2337f20c7471",
  keyName: "ci-prod",
  ...part,
});

const item = (id: number, at: number) => ({
  from: "app" as const,
  at,
  line: line(id, { at }),
  beside: [],
});

describe("the words of a line", () => {
  const said = (act: Act, state: ActState, part: Partial<ActivityView> = {}) =>
    sentenceOf(line(1, { act, state, ...part })).join("");

  it.each<[Act, ActState, string]>([
    ["revoke", "done", "Revoked ci-prod"],
    ["revoke", "failed", "Could not revoke ci-prod"],
    ["roll", "cancelled", "Began to roll ci-prod"],
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
  const days = byDay([item(3, at(1)), item(2, at(20)), item(1, at(24 * 8))], now);
  expect(days.map(({ name, items }) => [name, items.length])).toEqual([
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

  it("keeps what was read beyond the newest page when something new comes", async () => {
    const all = Array.from({ length: 260 }, (_, index) => line(260 - index));
    host.answer("list_activity", ({ before, limit }) =>
      all.filter(({ id }) => before === null || id < before).slice(0, limit),
    );
    const timeLine = new TimeLine("acme");
    await timeLine.refresh();
    for (let page = 0; page < 4; page++) await timeLine.loadOlder();
    expect(timeLine.lines).toHaveLength(250);
    all.unshift(line(261));
    await timeLine.refresh();
    expect(timeLine.lines.map(({ id }) => id)).toEqual(
      Array.from({ length: 251 }, (_, index) => 261 - index),
    );
    expect(timeLine.hasOlder).toBe(true);
  });

  it("asks the journal for what was chosen, and only for that", async () => {
    const timeLine = new TimeLine("acme", () => NOW);
    await timeLine.choose({ text: " ci ", kind: "value", outcome: "open", span: "week" });
    const asked = host.calls.findLast(({ name }) => name === "list_activity");
    expect(asked?.request).toMatchObject({
      before: null,
      filter: {
        text: "ci",
        acts: ["copy", "reveal", "saveToKeychain", "saveToFile", "tryFound"],
        states: ["asked", "unknown"],
        from: NOW - 7 * 24 * HOUR,
        until: null,
      },
    });
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

describe("the server's log", () => {
  const read = () => host.calls.filter(({ name }) => name === "list_audits");

  it("is not read before somebody looks", async () => {
    const timeLine = new TimeLine("acme");
    await timeLine.refresh();
    await timeLine.choose({ ...EVERYTHING, text: "ci" });
    expect(read()).toHaveLength(0);
    await timeLine.look("server", "acme");
    expect(read()).toHaveLength(1);
    expect(timeLine.items.every(({ from }) => from === "server")).toBe(true);
    await timeLine.choose({ ...EVERYTHING, text: "nothing-like-it", kind: "deleted" });
    expect([read().length, timeLine.items.length], "chosen from what was read").toEqual([1, 0]);
    await timeLine.choose({ ...EVERYTHING, span: "week" });
    expect(read()).toHaveLength(2);
  });

  it("stays with one connection", async () => {
    const timeLine = new TimeLine(null);
    await timeLine.look("both", "acme");
    expect(timeLine.connection).toBe("acme");
    expect(read()[0]?.request).toMatchObject({ connection: "acme", uid: null, next: null });
  });

  it("goes on page by page, and says when it may not be read", async () => {
    host.answer("list_audits", ({ next }) => ({
      kind: "listed",
      entries: [entry(next === null ? 2 : 1)],
      skipped: 1,
      next: next === null ? "place" : null,
    }));
    const log = new ServerLog();
    await log.read({ connection: "acme", uid: "k1", from: null });
    expect([log.entries.length, log.hasOlder]).toEqual([1, true]);
    await log.loadOlder();
    expect([log.entries.length, log.hasOlder, log.skipped]).toEqual([2, false, 2]);
    await log.loadOlder();
    expect(read()).toHaveLength(2);
    host.answer("list_audits", () => ({ kind: "notAllowed", message: "Not allowed." }));
    await log.again();
    expect([log.entries.length, log.notAllowed]).toEqual([0, "Not allowed."]);
  });

  it("keeps its entries when a later page fails", async () => {
    const log = new ServerLog();
    await log.read({ connection: "acme", uid: null, from: null });
    const before = log.entries.length;
    host.fail("list_audits", { code: "hostUnreachable" });
    await log.again();
    expect([log.entries.length, log.problem?.code]).toEqual([before, "hostUnreachable"]);
  });
});

describe("both sides together", () => {
  it("puts an entry beside the line of the same key, kind and moment", () => {
    const lines = [
      line(3, { at: NOW, act: "revoke" }),
      line(2, { at: NOW - 1_000, act: "copy" }),
      line(1, { at: NOW - 60_000, act: "renew" }),
    ];
    const items = together(
      lines,
      [
        entry(1, { localAt: NOW + 4_000 }),
        entry(2, { localAt: NOW - 50_000 }),
        entry(3, { localAt: NOW - 60_000, keyUid: "another" }),
        entry(4, { localAt: NOW - 60_000, action: "delete" }),
      ],
      { app: null, server: null },
    );
    const beside = items.flatMap((item) =>
      item.from === "app" ? item.beside.map(({ uid }) => [item.line.id, uid]) : [],
    );
    expect(beside).toEqual([[3, "audit-1"]]);
    expect(items.map(({ from, at }) => [from, NOW - at])).toEqual([
      ["app", 0],
      ["app", 1_000],
      ["server", 50_000],
      ["app", 60_000],
      ["server", 60_000],
      ["server", 60_000],
    ]);
  });

  it("gives an entry to the nearest line, and none to what failed", () => {
    const lines = [
      line(3, { at: NOW + 2_000, act: "edit", state: "failed" }),
      line(2, { at: NOW + 3_000, act: "edit" }),
      line(1, { at: NOW - 4_000, act: "edit" }),
    ];
    const [first] = together(lines, [entry(1, { localAt: NOW + 1_900 })], {
      app: null,
      server: null,
    });
    expect(first?.from === "app" && [first.line.id, first.beside.length]).toEqual([2, 1]);
  });

  it("shows nothing beyond where one side still has more", () => {
    const items = together(
      [line(2, { at: NOW }), line(1, { at: NOW - 10 * HOUR })],
      [entry(1, { localAt: NOW - HOUR }), entry(2, { localAt: NOW - 2 * HOUR })],
      { app: null, server: NOW - 2 * HOUR },
    );
    expect(items.map(({ at }) => (NOW - at) / HOUR)).toEqual([0, 1, 2]);
  });
});

describe("what is chosen above the log", () => {
  it.each<[Partial<Choices>, boolean]>([
    [{}, true],
    [{ text: "ANA ci-prod" }, true],
    [{ text: "ana nobody" }, false],
    [{ kind: "renewed" }, true],
    [{ kind: "deleted" }, false],
    [{ kind: "value" }, false],
    [{ outcome: "done" }, true],
    [{ outcome: "failed" }, false],
  ])("%j fits an entry: %s", (part, fits) => {
    expect(fitsEntry(entry(1, { actor: "Ana Ruiz" }), { ...EVERYTHING, ...part })).toBe(fits);
  });
});

describe("what was changed, in words", () => {
  const at = (day: number, hour = 12) => Date.UTC(2026, 10, day, hour);

  it("says before and after", () => {
    const words = changesInWords([
      { field: "name", before: "ci", after: "ci-prod" },
      { field: "description", before: "", after: "two\nlines" },
      { field: "active", before: true, after: false },
    ]);
    expect(words.map(({ label, before, after }) => `${label}: ${before} → ${after}`)).toEqual([
      "Name: ci → ci-prod",
      "Description: Empty → two\nlines",
    ]);
  });

  it.each<[number | null, number | null, string]>([
    [at(28), Date.UTC(2026, 11, 28), "28 Nov 2026 → 28 Dec 2026"],
    [null, at(28), "Never → 28 Nov 2026"],
    [at(28, 12), at(28, 13), "28 Nov 2026, 12:00 → 28 Nov 2026, 13:00"],
  ])("says ends with their year: %s", (before, after, words) => {
    const said = changeWords({ field: "expires", before, after }, "UTC");
    expect(`${said.before} → ${said.after}`).toBe(words);
  });
});

it("says that a change was taken back, and what an undo will do", () => {
  expect(sentenceOf(line(1, { act: "edit", undoes: 7 })).join("")).toBe("Changed ci-prod back");
  expect(undoWords(line(1, { act: "renew" }))).toBe("change ci-prod back");
  expect(undoWords(line(1, { act: "reactivate" }))).toBe("revoke ci-prod");
});
