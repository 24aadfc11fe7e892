import { beforeEach, describe, expect, it, vi } from "vitest";
import { fakeHost, NOW, type FakeHost } from "../../../tests/fake-host";
import { Dialogs } from "../dialogs.svelte";
import { listen, standIn, type HeldView } from "../ipc";
import { Keys } from "../keys/keys.svelte";
import { Outbox } from "../outbox/outbox.svelte";
import { Toasts } from "../toasts.svelte";
import { Offboard } from "./offboard.svelte";

let host: FakeHost;
let keys: Keys;
let dialogs: Dialogs;

beforeEach(async () => {
  host = fakeHost();
  standIn(host);
  dialogs = new Dialogs();
  const outbox = new Outbox({ left: (ends) => keys.left(ends), unclaimed: () => {} });
  await listen("outbox-changed", (view) => outbox.take(view));
  await listen("outbox-ended", (end) => outbox.ended(end));
  keys = new Keys("acme", {
    toasts: new Toasts(),
    dialogs,
    outbox,
    connectionName: () => "acme",
    now: () => NOW,
    signedOut: () => {},
    mayCreateForOthers: () => true,
    leadDays: () => 14,
  });
  await keys.refresh();
});

const sent = (name: string) => host.calls.filter((each) => each.name === name);
const start = (person: { uid: string; name: string } | null = null) =>
  new Offboard({ keys, person, now: () => NOW });
/** Somebody with keys that work, and somebody else. */
function two(offboard: Offboard) {
  const able = offboard.people.filter(
    ({ uid, keys: theirs, state }) =>
      state === "active" &&
      keys.list?.people.some((each) => each.uid === uid) &&
      theirs.some(({ status, mine }) => status === "active" && !mine),
  );
  const [leaver, successor] = able;
  if (!leaver || !successor) throw new Error("too few people");
  return { leaver, successor };
}

describe("offboarding a person", () => {
  it("offers everybody with a key, those who are gone first", () => {
    const offboard = start();
    const owners = new Set(keys.rows.map(({ key }) => key.ownerUid || key.ownerName));
    for (const owner of owners) expect(offboard.people.map(({ id }) => id)).toContain(owner);
    const gone = offboard.people.filter(({ state }) => state === "gone").length;
    expect(gone).toBeGreaterThan(0);
    expect(offboard.people.slice(0, gone).every(({ state }) => state === "gone")).toBe(true);
    expect(offboard.keys).toEqual([]);
  });

  it("says how they stand, and that keys outlive their owner", () => {
    const offboard = start();
    const [gone] = offboard.people;
    offboard.choose(gone?.id ?? "");
    expect(offboard.stateWords).toMatch(/not among the people.*go on working until/);
    expect(offboard.keys).toHaveLength(gone?.keys.length ?? 0);
    offboard.choose(two(offboard).leaver.id);
    expect(offboard.stateWords).toContain("look again once the account is removed");
  });

  it("counts the room of the successor, and never offers the leaver", () => {
    const offboard = start();
    const { leaver, successor } = two(offboard);
    offboard.choose(leaver.id);
    expect(offboard.successors.map(({ uid }) => uid)).not.toContain(leaver.uid);
    expect(offboard.mayReplace).toBe(false);
    offboard.successorUid = successor.uid;
    const quota = keys.list?.quota ?? 0;
    expect(offboard.room).toBe(quota - (offboard.successor?.keys ?? 0));
    expect(offboard.roomWords).toContain(`of ${quota} keys`);
    if (keys.list) keys.list = { ...keys.list, quota: offboard.successor?.keys ?? 0 };
    expect([offboard.room, offboard.mayReplace]).toEqual([0, false]);
    expect(offboard.roomWords).toContain("no room for another");
    if (keys.list) keys.list = { ...keys.list, quota: null };
    expect([offboard.room, offboard.mayReplace]).toEqual([null, true]);
  });

  it("remembers which key replaces which", () => {
    const offboard = start();
    const { leaver, successor } = two(offboard);
    offboard.choose(leaver.id);
    offboard.successorUid = successor.uid;
    const [old] = offboard.working;
    const [made] = successor.keys;
    if (!old || !made) throw new Error("no key");
    expect(offboard.unreplaced).toContain(old);
    offboard.replaced(old, { uid: made.uid } as HeldView);
    expect(offboard.replacementOf(old)?.uid).toBe(made.uid);
    expect(offboard.unreplaced).not.toContain(old);
    offboard.replaced(old, { uid: null } as HeldView);
    expect(offboard.replacements, "a key that was not found yet is none").toHaveLength(1);
  });

  it("revokes what works after one question, and reports what was there at first", async () => {
    const offboard = start();
    const { leaver } = two(offboard);
    offboard.choose(leaver.id);
    const had = offboard.keys.map(({ uid }) => uid);
    const working = offboard.working.length;
    offboard.revoke();
    const dialog = dialogs.shown.at(-1);
    if (dialog?.kind !== "confirm") throw new Error("no question");
    expect(dialog.lines.join("\n")).toContain(leaver.name);
    dialog.onConfirm();
    await vi.waitFor(() => expect(offboard.working).toHaveLength(0));
    expect(sent("add_to_outbox").length + sent("revoke_key").length, `${working} keys`).toBe(1);
    expect(await offboard.report("html")).toBe(true);
    expect(sent("export_offboard_report")[0]?.request).toMatchObject({
      format: "html",
      personUid: leaver.uid,
      name: leaver.name,
      uids: had,
      successorUid: null,
      replacements: [],
      since: NOW,
    });
    expect(offboard.saved).toContain(".html");
  });

  it("offers to revoke only what the caller may, and says what is left out", () => {
    const offboard = start();
    const { leaver } = two(offboard);
    offboard.choose(leaver.id);
    const [mine, ...others] = offboard.working;
    if (!mine || others.length === 0) throw new Error("too few keys");
    const may = { update: false, delete: false };
    for (const key of others) keys.put({ ...key, may });
    expect(offboard.working).toHaveLength(1 + others.length);
    expect(offboard.revocable.map(({ uid }) => uid)).toEqual([mine.uid]);
    offboard.revoke();
    const dialog = dialogs.shown.at(-1);
    if (dialog?.kind !== "confirm") throw new Error("no question");
    expect(dialog.plan?.lines.map(({ why }) => why)).toEqual([null, "notAllowed"]);
    keys.put({ ...mine, may });
    expect(offboard.revocable).toEqual([]);
  });

  it("says why no report was written, and nothing when the file dialog was closed", async () => {
    const offboard = start();
    offboard.choose(two(offboard).leaver.id);
    host.fail("export_offboard_report", { code: "fileFailed", message: "The disk is full." });
    expect(await offboard.report("json")).toBe(false);
    expect(offboard.problem?.code).toBe("fileFailed");
    host.fail("export_offboard_report", { code: "cancelled" });
    expect(await offboard.report("json")).toBe(false);
    expect(offboard.problem).toBeNull();
  });
});
