import { beforeEach, describe, expect, it, vi } from "vitest";
import { fakeHost, NOW, type FakeHost } from "../../../tests/fake-host";
import { Dialogs } from "../dialogs.svelte";
import { listen, standIn, type KeyView } from "../ipc";
import { Outbox } from "../outbox/outbox.svelte";
import { Toasts } from "../toasts.svelte";
import { Keys } from "./keys.svelte";

let host: FakeHost;
let keys: Keys;
let toasts: Toasts;
let dialogs: Dialogs;
let outbox: Outbox;
const signedOut = vi.fn();
let unclaimed = vi.fn();

function open(made: FakeHost) {
  host = made;
  standIn(host);
  toasts = new Toasts();
  dialogs = new Dialogs();
  unclaimed = vi.fn();
  outbox = new Outbox({ left: (ends) => keys.left(ends), unclaimed });
  void listen("outbox-changed", (view) => outbox.take(view));
  void listen("outbox-ended", (end) => outbox.ended(end));
  keys = new Keys("acme", {
    toasts,
    dialogs,
    outbox,
    connectionName: () => "acme",
    now: () => NOW,
    mayCreateForOthers: () => true,
    leadDays: () => 14,
    signedOut,
  });
}

const named = (name: string): KeyView => {
  const found = keys.rows.find((row) => row.key.name === name);
  if (!found) throw new Error(`no ${name}`);
  return found.key;
};
const asked = (name: string) => host.calls.filter((call) => call.name === name);
const settled = () =>
  vi.waitFor(() => expect(outbox.asking.size + Number(keys.batch !== null)).toBe(0));

beforeEach(async () => {
  signedOut.mockClear();
  open(fakeHost());
  await keys.refresh();
});

describe("reading", () => {
  it("shows what there is, next trouble first", () => {
    expect(keys.shown).toHaveLength(38);
    expect(keys.ownerCount).toBe(12);
    expect(keys.currentKey?.name).toBe("ci-prod");
    expect(keys.counts).toEqual({
      all: 38,
      mine: 7,
      expiring: 4,
      expired: 3,
      revoked: 5,
      neverExpires: 2,
      ownerGone: 3,
      inKeychain: 6,
    });
  });

  it("reads again what came to its end, or near it, with the clock", async () => {
    const day = 86_400_000;
    let now = NOW;
    const surroundings = {
      toasts,
      dialogs,
      outbox,
      connectionName: () => "acme",
      now: () => now,
      mayCreateForOthers: () => true,
      leadDays: () => 14,
      signedOut,
    };
    const [first, second] = host.keys;
    host.keys = [
      { ...first!, expires: NOW + 30_000, status: "expiring" },
      { ...second!, expires: NOW + 14 * day + 90_000, status: "active" },
    ];
    keys = new Keys("acme", surroundings);
    await keys.refresh();
    const before = asked("list_keys").length;
    const passes = async (ms: number, reads: number) => {
      now = NOW + ms;
      keys.tick();
      await vi.waitFor(() => expect(asked("list_keys")).toHaveLength(before + reads));
    };
    await passes(20_000, 0);
    await passes(60_000, 1);
    await passes(80_000, 1);
    await passes(120_000, 2);
    await passes(180_000, 2);
  });

  it("reads nothing again for a change it already shows, and once for many", async () => {
    const before = asked("list_keys").length;
    await keys.catchUp(keys.list?.revision ?? 0);
    expect(asked("list_keys")).toHaveLength(before);
    host.keysChanged();
    host.keysChanged();
    await Promise.all([keys.catchUp(1), keys.catchUp(2), keys.catchUp(2)]);
    expect(asked("list_keys")).toHaveLength(before + 1);
    expect(keys.list?.revision).toBe(2);
  });

  it("refreshes once more when it is asked to meanwhile", async () => {
    const before = asked("list_keys").length;
    await Promise.all([keys.refresh(), keys.refresh(), keys.refresh()]);
    expect(asked("list_keys")).toHaveLength(before + 2);
  });

  it("keeps the rows of keys that did not change", async () => {
    const before = keys.rows;
    host.keys = host.keys.map((key) => (key.name === "ci-prod" ? { ...key, name: "ci" } : key));
    await keys.reload();
    const changed = keys.rows.filter((row, index) => row !== before[index]);
    expect(changed.map((row) => row.key.name)).toEqual(["ci"]);
  });

  it("is given what differs from what it has, and falls back to that where it was ahead", async () => {
    const have = keys.list?.snapshot;
    host.keys = host.keys
      .filter(({ name }) => name !== "argo-prod")
      .map((key) => (key.name === "atlantis" ? { ...key, name: "atlas" } : key));
    keys.put({ ...named("ci-prod"), name: "ahead" });
    expect(keys.rows.some(({ key }) => key.name === "ahead")).toBe(true);
    await keys.reload();
    expect(asked("list_keys").at(-1)?.request).toMatchObject({ have });
    expect(keys.list?.since).toBe(have);
    const names = keys.rows.map(({ key }) => key.name);
    expect(names.toSorted()).toEqual(host.keys.map(({ name }) => name).toSorted());
    expect(names).toContain("ci-prod");
    expect(names).toContain("atlas");
  });

  it("asks for all of it when what it is given does not go into what it has", async () => {
    await Promise.all([keys.refresh(), keys.reload(), keys.reload()]);
    host.keys = host.keys.slice(0, 7);
    await Promise.all([keys.reload(), keys.refresh(), keys.reload()]);
    expect(keys.rows.map(({ uid }) => uid)).toEqual(host.keys.map(({ uid }) => uid));
  });

  it("moves neither the current key nor the ticks on a refresh", async () => {
    keys.focus(named("argo-prod").uid);
    keys.tickKey(named("atlantis").uid);
    host.keys = [
      { ...named("dev-jane"), uid: "new", name: "a-new-one", expires: NOW + 1000 },
      ...host.keys,
    ];
    await keys.refresh();
    expect(keys.currentKey?.name).toBe("argo-prod");
    expect(keys.selected.map(({ name }) => name)).toEqual(["atlantis"]);
  });

  it("goes to the neighbour when the current key is gone", async () => {
    keys.focus(named("nightly-backup").uid);
    host.keys = host.keys.filter(({ name }) => name !== "nightly-backup");
    await keys.reload();
    expect(keys.currentKey?.name).toBe("terraform-staging");
  });

  it("says when it cannot, and keeps what it has", async () => {
    host.fail("list_keys", { code: "hostUnreachable" });
    await keys.refresh();
    expect(keys.problem?.code).toBe("hostUnreachable");
    expect(keys.shown).toHaveLength(38);
  });

  it("reports a sign-in that no longer holds", async () => {
    host.fail("list_keys", { code: "unauthorized" });
    await keys.refresh();
    expect(signedOut).toHaveBeenCalledOnce();
  });

  it("does not take an empty memory for an empty tenant", async () => {
    open(fakeHost());
    host.answer("list_keys", () => ({
      connection: "acme",
      keys: [],
      people: [],
      asOf: null,
      problem: null,
      clockOffset: 0,
      quota: null,
      ownKeys: 0,
      ownUserUid: null,
      revision: 1,
      lostCreations: [],
      rolls: [],
      snapshot: 1,
      since: null,
      gone: [],
      skipped: 0,
    }));
    await keys.reload();
    expect(keys.list).toBeNull();
  });

  it("lets a slow old answer not overwrite a newer one", async () => {
    const release = host.hold("list_keys");
    const slow = keys.reload();
    release();
    host.keys = host.keys.slice(0, 5);
    await Promise.all([slow, keys.refresh()]);
    expect(keys.rows).toHaveLength(5);
  });
});

describe("searching and ticking", () => {
  it("acts on nothing that is out of sight", () => {
    keys.tickAll();
    expect(keys.selected).toHaveLength(38);
    keys.search = "argo";
    expect(keys.selected.map(({ name }) => name)).toEqual(["argo-prod", "argo-staging"]);
    keys.search = "";
    expect(keys.selected).toHaveLength(38);
  });

  it("walks and extends", () => {
    keys.move(1, true);
    keys.move(1, true);
    expect(keys.selected.map(({ name }) => name)).toEqual([
      "ci-prod",
      "nightly-backup",
      "terraform-staging",
    ]);
    keys.move(-1, true);
    expect(keys.selected).toHaveLength(2);
    keys.moveTo(999);
    expect(keys.currentKey?.status).toBe("revoked");
  });
});

describe("revoking", () => {
  it("revokes an own key at once, in its place, and offers undo", async () => {
    const key = named("ci-prod");
    const release = host.hold("revoke_key");
    keys.revoke([key]);
    expect(keys.pending(key), "shown as Revoking… until confirmed").toBe("revoke");
    expect(keys.isAsking(key.uid)).toBe(true);
    expect(named("ci-prod").status).toBe("expiring");
    release();
    await settled();
    expect(named("ci-prod").status).toBe("revoked");
    expect(keys.order[0], "it does not jump away").toBe(key.uid);
    await vi.waitFor(() => expect(toasts.shown[0]?.text).toBe("Revoked ci-prod."));
    toasts.undoable?.action?.run();
    await vi.waitFor(() => expect(named("ci-prod").status).toBe("expiring"));
    expect(asked("undo")).toHaveLength(1);
  });

  it("keeps the row in sight that a view would not show any more, until something else is asked", async () => {
    keys.show("expiring");
    const { order } = keys;
    keys.revoke([named("ci-prod")]);
    await settled();
    expect(named("ci-prod").status).toBe("revoked");
    expect(keys.order).toEqual(order);
    expect(keys.counts.expiring).toBe(order.length - 1);
    keys.search = "status:expiring";
    expect(keys.order).toHaveLength(order.length - 1);
  });

  it("asks once before someone else's key, naming key, owner and connection", async () => {
    keys.revoke([named("nightly-backup")]);
    expect(asked("revoke_key")).toHaveLength(0);
    const [dialog] = dialogs.shown;
    if (dialog?.kind !== "confirm") throw new Error("no question");
    expect(dialog.lines.join("\n")).toMatch(/nightly-backup[\s\S]*Ana Ruiz/);
    expect(dialog.connection).toBe("acme");
    dialog.onConfirm();
    await settled();
    expect(named("nightly-backup").status).toBe("revoked");
  });

  it("never says revoked before the server has, and offers nothing that would double it", async () => {
    const key = named("ci-prod");
    const record = host.record({ keyUid: key.uid, attempts: 1 });
    host.answer("revoke_key", () => ({
      kind: "unconfirmed",
      problem: { code: "timedOut", message: "No answer came.", details: null },
    }));
    keys.revoke([{ ...key, flags: [] }]);
    expect(asked("revoke_key"), "it is on record already").toHaveLength(0);
    host.end(record.record, { kind: "givenUp" });

    keys.revoke([key]);
    await vi.waitFor(() => expect(toasts.shown).toHaveLength(1));
    expect(toasts.shown[0]).toMatchObject({
      tone: "bad",
      text: "Could not confirm the revocation of ci-prod; still trying.",
      detail: "No answer came.",
    });
    expect(toasts.shown[0]?.action?.label).toBe("Show");
    expect(toasts.shown[0]?.second).toBeUndefined();
    toasts.shown[0]?.action?.run();
    expect(dialogs.shown.map(({ kind }) => kind)).toEqual(["outbox"]);
    host.record({ keyUid: key.uid });
    expect(keys.pending(key)).toBe("revoke");
    expect(named("ci-prod").status).toBe("expiring");
  });

  it("says the proof with its time", async () => {
    const at = new Date(2026, 10, 23, 14, 2, 31).getTime();
    const key: KeyView = { ...named("ci-prod"), status: "revoked" };
    host.answer("revoke_key", () => ({ kind: "confirmed", key, refusedAt: at }));
    keys.revoke([named("ci-prod")]);
    await vi.waitFor(() =>
      expect(toasts.shown[0]?.detail).toBe("Tried at 14:02:31: Palette no longer accepts it."),
    );
  });

  it("takes a confirmation that overtakes the answer, and says it once", async () => {
    const key = named("ci-prod");
    const release = host.hold("revoke_key");
    host.answer("revoke_key", () => ({
      kind: "unconfirmed",
      problem: { code: "timedOut", message: "No answer came.", details: null },
    }));
    keys.revoke([key]);
    host.end(host.record({ keyUid: key.uid }).record);
    release();
    await settled();
    await vi.waitFor(() => expect(named("ci-prod").status).toBe("revoked"));
    expect(toasts.shown.map(({ text }) => text)).toEqual(["Revoked ci-prod."]);
    await new Promise((done) => setTimeout(done, 1_000));
    expect(unclaimed).not.toHaveBeenCalled();
  });

  it("keeps quiet about an end that comes after the answer said it", async () => {
    const key = named("ci-prod");
    keys.revoke([key]);
    await settled();
    host.end(host.record({ keyUid: key.uid }).record);
    await new Promise((done) => setTimeout(done, 1_000));
    expect(unclaimed).not.toHaveBeenCalled();
    expect(toasts.shown).toHaveLength(1);
    // A later one is news again.
    host.end(host.record({ keyUid: key.uid }).record);
    await vi.waitFor(() => expect(unclaimed).toHaveBeenCalledOnce());
  });

  it("is not set back by an end that is older than what was done since", () => {
    const key = named("ci-prod");
    const item = host.record({ keyUid: key.uid });
    const at = (key.modified ?? 0) + 1_000;
    const end = (later: number | null) => ({
      item,
      end: { kind: "confirmed" as const, refusedAt: null },
      key: {
        ...key,
        status: "revoked" as const,
        modified: later === null ? null : at + later,
      },
    });
    keys.put({ ...key, modified: at });
    keys.left([end(-1)]);
    expect(named("ci-prod").status).toBe("expiring");
    keys.left([end(+1)]);
    expect(named("ci-prod").status).toBe("revoked");
    // Palette may leave out when it was changed: then nothing says that it is old.
    keys.put({ ...key, modified: at });
    keys.left([end(null)]);
    expect(named("ci-prod").status).toBe("revoked");
  });

  it("takes a failure before anything was sent back", async () => {
    host.fail("revoke_key", { code: "forbidden", message: "Nothing was changed." });
    keys.revoke([named("ci-prod")]);
    await vi.waitFor(() => expect(toasts.shown[0]?.text).toContain("was not revoked"));
    expect(keys.pending(named("ci-prod"))).toBeNull();
    expect(named("ci-prod").status).toBe("expiring");
  });

  it("stops before the key that signs this app in", () => {
    keys.revoke([named("palette-keys on lark")]);
    keys.askDelete([named("palette-keys on lark")]);
    expect(host.calls.filter(({ name }) => /revoke|delete/.test(name))).toEqual([]);
    expect(dialogs.shown.map(({ kind }) => kind)).toEqual(["signsIn", "signsIn"]);
  });

  describe("several", () => {
    const names = ["nightly-backup", "argo-prod", "argo-staging"];
    const recordOf = (name: string) => {
      const item = host.outbox.items.find((each) => each.keyName === name);
      if (!item) throw new Error(`no record of ${name}`);
      return item.record;
    };

    async function revoke(options: Parameters<typeof fakeHost>[0] = {}) {
      open(fakeHost(options));
      await keys.refresh();
      keys.revoke(names.map(named));
      const [dialog] = dialogs.shown;
      if (dialog?.kind !== "confirm") throw new Error("no question");
      expect(dialog.title).toBe("Revoke 3 keys?");
      dialog.onConfirm();
      dialogs.close(dialog.id);
    }

    it("are written down with one call, counted off and summed up with an undo", async () => {
      await revoke({ sends: null });
      expect(keys.batch).toMatchObject({ doing: "Revoking", done: 0, of: 3 });
      await vi.waitFor(() => expect(host.outbox.items).toHaveLength(3));
      expect(asked("add_to_outbox")).toHaveLength(1);
      expect(asked("revoke_key")).toHaveLength(0);
      host.end(recordOf("argo-prod"));
      expect(keys.batch).toMatchObject({ done: 1, of: 3 });
      host.end(recordOf("nightly-backup"));
      host.end(recordOf("argo-staging"));
      await settled();
      await vi.waitFor(() => expect(toasts.shown).toHaveLength(1));
      expect(toasts.shown[0]).toMatchObject({ tone: "ok", text: "Revoked 3 keys." });
      await vi.waitFor(() => expect(named("argo-staging").status).toBe("revoked"));
      toasts.undoable?.action?.run();
      await vi.waitFor(() => expect(named("argo-staging").status).not.toBe("revoked"));
      await settled();
      expect(asked("undo")).toHaveLength(3);
      expect(unclaimed, "the sum is the only word about them").not.toHaveBeenCalled();
    });

    it("name what needs a person, keep it ticked and offer to try it again", async () => {
      await revoke({ sends: null });
      await vi.waitFor(() => expect(host.outbox.items).toHaveLength(3));
      host.end(recordOf("nightly-backup"));
      host.end(recordOf("argo-staging"));
      expect(keys.batch, "it was not even tried").not.toBeNull();
      host.changeRecord(recordOf("argo-prod"), {
        state: "blocked",
        attempts: 1,
        problem: { code: "forbidden", message: "Not yours.", details: null },
      });
      await settled();
      await vi.waitFor(() => expect(toasts.shown).toHaveLength(1));
      expect(toasts.shown[0]).toMatchObject({
        tone: "bad",
        text: "Revoked 2 of 3 keys.",
        detail: "Needs you: argo-prod. Not yours.",
        action: { label: "Undo" },
        second: { label: "Retry failed" },
      });
      expect(keys.selected.map(({ name }) => name)).toEqual(["argo-prod"]);
      toasts.shown[0]?.second?.run();
      await vi.waitFor(() => expect(asked("retry_outbox")).toHaveLength(1));
      expect(asked("retry_outbox")[0]?.request).toEqual({ record: recordOf("argo-prod") });
      host.end(recordOf("argo-prod"));
      await vi.waitFor(() => expect(unclaimed, "from here on by itself").toHaveBeenCalledOnce());
    });

    it("go on record at once while others are on their way", async () => {
      await revoke({ sends: null });
      await vi.waitFor(() => expect(host.outbox.items).toHaveLength(3));
      keys.tickKey(named("jira-bridge").uid);
      const others = ["ci-prod", "atlantis"].map(named);
      void keys.removeAll([named("grafana-reader")]);
      keys.revoke(others);
      const dialog = dialogs.shown.at(-1);
      if (dialog?.kind !== "confirm") throw new Error("no question");
      dialog.onConfirm();
      dialogs.close(dialog.id);
      const recorded = () => host.outbox.items.map(({ keyName, action }) => `${action} ${keyName}`);
      await vi.waitFor(() =>
        expect(recorded().sort()).toEqual([
          "delete grafana-reader",
          "revoke argo-prod",
          "revoke argo-staging",
          "revoke atlantis",
          "revoke ci-prod",
          "revoke nightly-backup",
        ]),
      );
      for (const { record } of [...host.outbox.items]) host.end(record);
      await settled();
      await vi.waitFor(() =>
        expect(toasts.shown.map(({ text }) => text).sort()).toEqual([
          "Deleted 1 key.",
          "Revoked 2 keys.",
          "Revoked 3 keys.",
        ]),
      );
      expect(keys.batch).toBeNull();
      expect(
        keys.selected.map(({ name }) => name),
        "ticked meanwhile",
      ).toEqual(["jira-bridge"]);
      await vi.waitFor(() => expect(named("atlantis").status).toBe("revoked"));
    });

    it("take one failure for a hiccup and a second one for trouble", async () => {
      await revoke({ sends: null });
      await vi.waitFor(() => expect(host.outbox.items).toHaveLength(3));
      const problem = { code: "serverFault" as const, message: "503.", details: null };
      for (const name of names) host.changeRecord(recordOf(name), { attempts: 1, problem });
      expect(keys.batch).not.toBeNull();
      for (const name of names) host.changeRecord(recordOf(name), { attempts: 2, problem });
      await settled();
      await vi.waitFor(() => expect(toasts.shown).toHaveLength(1));
      expect(toasts.shown[0]).toMatchObject({
        text: "Revoked 0 of 3 keys.",
        detail: "Not confirmed yet, still trying: nightly-backup, argo-prod, argo-staging.",
      });
      expect(toasts.undoable).toBeNull();
    });

    it("can be stopped: what was not sent stays as it was", async () => {
      await revoke({ sends: null });
      await vi.waitFor(() => expect(host.outbox.items).toHaveLength(3));
      host.changeRecord(recordOf("nightly-backup"), { attempts: 1 });
      keys.stopBatch();
      expect(keys.batch?.stopping).toBe(true);
      await vi.waitFor(() => expect(asked("give_up")).toHaveLength(1));
      expect(asked("give_up")[0]?.request).toMatchObject({ unsentOnly: true });
      await vi.waitFor(() => expect(host.outbox.items).toHaveLength(1));
      host.end(recordOf("nightly-backup"));
      await settled();
      await vi.waitFor(() =>
        expect(toasts.shown[0]).toMatchObject({
          text: "Revoked 1 of 3 keys.",
          detail: "Stopped: 2 keys left as they were.",
        }),
      );
      expect(named("argo-prod").status).not.toBe("revoked");
    });

    it("can be stopped before they are even written down", async () => {
      open(fakeHost({ sends: null }));
      await keys.refresh();
      const release = host.hold("add_to_outbox");
      keys.revoke(names.map(named));
      const [dialog] = dialogs.shown;
      if (dialog?.kind === "confirm") dialog.onConfirm();
      keys.stopBatch();
      release();
      await settled();
      await vi.waitFor(() => expect(toasts.shown[0]?.text).toBe("Revoked 0 of 3 keys."));
      expect(host.outbox.items).toEqual([]);
    });

    it("say that nothing happened when they could not be taken", async () => {
      open(fakeHost());
      await keys.refresh();
      host.fail("add_to_outbox", { code: "connectionUnknown", message: "Nothing was changed." });
      keys.revoke(names.map(named));
      const [dialog] = dialogs.shown;
      if (dialog?.kind === "confirm") dialog.onConfirm();
      await settled();
      expect(toasts.shown[0]?.text).toContain("No key was revoked.");
      expect(toasts.shown[0]?.action?.label).toBe("Try again");
    });

    it("believe the list about a record that left unheard", async () => {
      await revoke({ sends: null });
      await vi.waitFor(() => expect(host.outbox.items).toHaveLength(3));
      const gone = named("argo-prod").uid;
      host.keys = host.keys.map((key) =>
        key.uid === gone ? { ...key, status: "revoked" as const } : key,
      );
      host.outbox = { ...host.outbox, items: [] };
      host.emit("outbox-changed", host.outbox);
      await vi.waitFor(() => expect(toasts.shown).toHaveLength(1), { timeout: 6_000 });
      expect(toasts.shown[0]).toMatchObject({
        text: "Revoked 1 of 3 keys.",
        detail: "Not known: nightly-backup, argo-staging.",
        second: { label: "Retry failed" },
      });
    }, 10_000);
  });

  it("follows what was asked elsewhere", async () => {
    const key = named("nightly-backup");
    const record = host.record({ keyUid: key.uid });
    expect(keys.pending(key)).toBe("revoke");
    expect(keys.isOut(key)).toBe(true);
    host.end(record.record);
    await vi.waitFor(() => expect(named("nightly-backup").status).toBe("revoked"));
    await vi.waitFor(() => expect(unclaimed).toHaveBeenCalledOnce());
    host.end(host.record({ keyUid: key.uid, action: "delete" }).record);
    await vi.waitFor(() => expect(keys.find(key.uid)).toBeNull());
  });
});

describe("several at once, through core", () => {
  const three = () => [named("nightly-backup"), named("argo-staging"), named("atlantis")];
  const days = { kind: "days", days: 45 } as const;
  const asking = () => {
    const dialog = dialogs.shown.at(-1);
    if (dialog?.kind !== "confirm") throw new Error("no question");
    return dialog;
  };

  const openWith = async (options: Parameters<typeof fakeHost>[0]) => {
    open(fakeHost(options));
    void listen("bulk-changed", (run) => keys.follow(run));
    await keys.refresh();
  };

  it("ticks everything that matches", () => {
    keys.search = "argo";
    keys.tickMatching();
    expect(keys.selected.map(({ name }) => name)).toEqual(["argo-prod", "argo-staging"]);
  });

  it("counts what it renews, and takes it back", async () => {
    await openWith({ sends: 120 });
    const before = three().map(({ expires }) => expires);
    const renewing = keys.renewAll(three(), days);
    expect(keys.batch).toMatchObject({ doing: "Renewing", done: 0, of: 3 });
    await vi.waitFor(() => expect(keys.batch?.done).toBe(2));
    await renewing;
    expect(keys.batch).toBeNull();
    expect(toasts.shown.at(-1)).toMatchObject({ tone: "ok", text: "Renewed 3 keys." });
    toasts.undoable?.action?.run();
    await vi.waitFor(() => expect(toasts.shown.at(-1)?.text).toBe("Put back the end of 3 keys."));
    expect(three().map(({ expires }) => expires)).toEqual(before);
    expect(toasts.shown.at(-1)?.action, "an undo is not undone").toBeUndefined();
  });

  it("says that another one is under way, and keeps what is ticked meanwhile", async () => {
    await openWith({ sends: 120 });
    const renewing = keys.renewAll(three(), days);
    await keys.renewAll([named("grafana-reader")], days);
    expect(toasts.shown.at(-1)).toMatchObject({
      tone: "bad",
      text: "Nothing was changed.",
      action: { label: "Try again" },
    });
    const again = toasts.shown.at(-1)?.action;
    keys.tickKey(named("grafana-reader").uid);
    await renewing;
    expect(keys.selected.map(({ name }) => name)).toEqual(["grafana-reader"]);
    again?.run();
    await vi.waitFor(() => expect(toasts.shown.at(-1)?.text).toBe("Renewed 1 key."));
  });

  it("names what failed, keeps it ticked, and tries only that again", async () => {
    const refuses = ["argo-staging"];
    await openWith({ refuses });
    await keys.renewAll(three(), days);
    const toast = toasts.shown.at(-1);
    expect(toast).toMatchObject({
      tone: "bad",
      text: "Renewed 2 of 3 keys.",
      detail: "Not done: argo-staging. You may not.",
      second: { label: "Retry failed" },
    });
    expect(keys.selected.map(({ name }) => name)).toEqual(["argo-staging"]);
    refuses.pop();
    toast?.second?.run();
    await vi.waitFor(() => expect(toasts.shown.at(-1)?.text).toBe("Renewed 1 key."));
    expect(asked("bulk_keys").at(-1)?.request).toMatchObject({ uids: [named("argo-staging").uid] });
  });

  it("goes on, and says so, when it cannot be stopped", async () => {
    await openWith({ sends: 120 });
    host.hold("bulk_keys");
    host.fail("stop_bulk", { code: "internal", message: "No." });
    void keys.renewAll(three(), days);
    await vi.waitFor(() => expect(keys.batch).not.toBeNull());
    keys.stopBatch();
    expect(keys.batch?.stopping).toBe(true);
    await vi.waitFor(() => expect(keys.batch?.stopping).toBe(false));
    expect(toasts.shown.at(-1)?.text).toContain("could not be stopped");
  });

  it("stops, and says what was left as it was", async () => {
    await openWith({ sends: 120 });
    const renewing = keys.renewAll(three(), days);
    await vi.waitFor(() => expect(keys.batch?.done).toBe(1));
    keys.stopBatch();
    expect(keys.batch?.stopping).toBe(true);
    await renewing;
    expect(toasts.shown.at(-1)?.detail).toMatch(/Stopped: \d keys? left as/);
  });

  it("joins what goes on after the window was loaded anew", async () => {
    await openWith({ sends: 120 });
    const first = keys.renewAll(three(), days);
    await vi.waitFor(() => expect(keys.batch?.done).toBe(1));
    const again = new Keys("acme", {
      toasts: new Toasts(),
      dialogs,
      outbox,
      connectionName: () => "acme",
      now: () => NOW,
      signedOut,
      mayCreateForOthers: () => true,
      leadDays: () => 14,
    });
    host.answer("bulk_keys", () => new Promise(() => {}));
    void again.join();
    await vi.waitFor(() => expect(again.batch).toMatchObject({ doing: "Renewing", of: 3 }));
    await first;
  });

  it("re-activates several after a question that counts them, and undoes it without another", async () => {
    await openWith({});
    const [active] = three();
    if (!active) throw new Error("no key");
    const revoked = keys.rows.map(({ key }) => key).filter(({ status }) => status === "revoked");
    const ready = revoked.filter((key) => !keys.hasEnded(key));
    keys.reactivate([...revoked, active]);
    const question = asking();
    expect(question.plan?.lines[0]?.words).toBe(`${ready.length} will be re-activated`);
    expect(question.plan?.lines.map(({ words }) => words)).toContain("1 is not revoked");
    question.onConfirm();
    await vi.waitFor(() =>
      expect(toasts.shown.at(-1)?.text).toBe(`Re-activated ${ready.length} keys.`),
    );
    toasts.undoable?.action?.run();
    await vi.waitFor(() => expect(asked("undo")).toHaveLength(ready.length));
    expect(asked("undo")[0]?.request).toMatchObject({ target: { act: "reactivate" } });
    expect(dialogs.shown.filter(({ id }) => id !== question.id)).toEqual([]);
  });

  it("leaves out the key that signs in when it is one of many, and says so", () => {
    keys.revoke([named("palette-keys on lark"), ...three()]);
    expect(asking().title).toBe("Revoke 3 keys?");
    expect(asking().plan?.lines.map(({ words }) => words)).toEqual([
      "3 will be revoked",
      "1 signs Palette Keys in",
    ]);
    keys.askDelete([named("palette-keys on lark"), ...three()]);
    expect(dialogs.shown.at(-1)).toMatchObject({ kind: "delete", plan: { asked: 4 } });
    keys.revoke([named("palette-keys on lark")]);
    expect(dialogs.shown.at(-1)).toMatchObject({
      kind: "signsIn",
      key: { name: "palette-keys on lark" },
      doing: "revoke",
    });
  });
});

describe("re-activating", () => {
  it("offers a renewal for a key that ended meanwhile", () => {
    const key = { ...named("leaked-in-slack"), expires: NOW - 1 };
    keys.reactivate([key]);
    expect(dialogs.shown[0]).toMatchObject({ kind: "renew", thenReactivate: true });
  });

  it("withdraws a revocation that is not confirmed, after a question", async () => {
    const key = named("ci-prod");
    const record = host.record({ keyUid: key.uid });
    keys.reactivate([key]);
    expect(asked("reactivate_key")).toHaveLength(0);
    const [dialog] = dialogs.shown;
    if (dialog?.kind !== "confirm") throw new Error("no question");
    expect(dialog.title).toBe("Withdraw the revocation?");
    expect(dialog.lines.join("\n")).toMatch(/ci-prod[\s\S]*Jane Doe/);
    expect(dialog.connection).toBe("acme");
    dialog.onConfirm();
    await vi.waitFor(() => expect(asked("reactivate_key")).toHaveLength(1));
    host.end(record.record, { kind: "givenUp" });
    await vi.waitFor(() => expect(keys.pending(named("ci-prod"))).toBeNull());
  });

  it("re-activates an own key at once", async () => {
    keys.reactivate([named("leaked-in-slack")]);
    await vi.waitFor(() => expect(named("leaked-in-slack").status).toBe("active"));
  });
});

describe("what the caller may not do", () => {
  it("is said of several", () => {
    const may = { update: false, delete: false };
    keys.revoke([named("argo-prod"), named("ci-prod")].map((key) => ({ ...key, may })));
    const dialog = dialogs.shown.at(-1);
    expect(dialog).toMatchObject({ kind: "notice", title: "Nothing to revoke" });
    expect(asked("revoke_key").length + asked("add_to_outbox").length).toBe(0);
  });

  it("is not begun", () => {
    const key = { ...named("argo-prod"), may: { update: false, delete: false } };
    keys.revoke([key]);
    keys.askRenew([key]);
    keys.askEdit(key);
    keys.askDelete([key]);
    expect(dialogs.shown).toEqual([]);
    expect(host.calls.some(({ name }) => /revoke|renew|edit|delete/.test(name))).toBe(false);
  });
});
