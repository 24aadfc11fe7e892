import { beforeEach, describe, expect, it, vi } from "vitest";
import { fakeHost, NOW, type FakeHost } from "../../../tests/fake-host";
import { Dialogs } from "../dialogs.svelte";
import { standIn, type KeyView } from "../ipc";
import { Toasts } from "../toasts.svelte";
import { Keys } from "./keys.svelte";

let host: FakeHost;
let keys: Keys;
let toasts: Toasts;
let dialogs: Dialogs;
const signedOut = vi.fn();

function open(made: FakeHost) {
  host = made;
  standIn(host);
  toasts = new Toasts();
  dialogs = new Dialogs();
  keys = new Keys("acme", {
    toasts,
    dialogs,
    connectionName: () => "acme",
    now: () => NOW,
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
  vi.waitFor(() => expect(keys.revocations.size + Number(keys.batch !== null)).toBe(0));

beforeEach(async () => {
  signedOut.mockClear();
  open(fakeHost());
  await keys.refresh();
});

describe("reading", () => {
  it("shows what there is, next trouble first", () => {
    expect(keys.shown).toHaveLength(38);
    expect(keys.people).toBe(12);
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
    expect(keys.revocations.get(key.uid), "shown as Revoking… until confirmed").toBe("asked");
    expect(named("ci-prod").status).toBe("expiring");
    release();
    await settled();
    expect(named("ci-prod").status).toBe("revoked");
    expect(keys.order[0], "it does not jump away").toBe(key.uid);
    await vi.waitFor(() => expect(toasts.shown[0]?.text).toBe("Revoked ci-prod."));
    toasts.undoable?.action?.run();
    await vi.waitFor(() => expect(named("ci-prod").status).toBe("expiring"));
    expect(asked("reactivate_key")).toHaveLength(1);
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
    expect(dialog.lines.join("\n")).toMatch(/nightly-backup[\s\S]*Ana Ruiz[\s\S]*acme/);
    dialog.onConfirm();
    await settled();
    expect(named("nightly-backup").status).toBe("revoked");
  });

  it("never says revoked before the server has", async () => {
    const key = named("ci-prod");
    host.answer("revoke_key", () => ({
      kind: "unconfirmed",
      problem: { code: "outcomeUnknown", message: "No answer came.", details: null },
    }));
    keys.revoke([key]);
    await vi.waitFor(() => expect(toasts.shown).toHaveLength(1));
    expect(keys.revocations.get(key.uid)).toBe("unconfirmed");
    expect(keys.unconfirmed).toBe(1);
    expect(toasts.shown[0]?.text).toContain("Could not confirm");
    expect(toasts.shown[0]?.action?.label).toBe("Try again");
  });

  it("takes a failure before anything was sent back", async () => {
    host.fail("revoke_key", { code: "forbidden", message: "Nothing was changed." });
    keys.revoke([named("ci-prod")]);
    await vi.waitFor(() => expect(toasts.shown[0]?.text).toContain("was not revoked"));
    expect(keys.revocations.size).toBe(0);
    expect(named("ci-prod").status).toBe("expiring");
  });

  it("stops before the key that signs this app in", () => {
    keys.revoke([named("palette-keys on lark")]);
    keys.revoke([named("ci-prod"), named("palette-keys on lark")]);
    keys.askDelete([named("palette-keys on lark")]);
    expect(host.calls.filter(({ name }) => /revoke|delete/.test(name))).toEqual([]);
    expect(dialogs.shown.map(({ kind }) => kind)).toEqual(["notice", "notice", "notice"]);
  });

  it("works through several, one after the other, and sums up", async () => {
    const several = ["nightly-backup", "argo-prod", "argo-staging"].map(named);
    const bad = several[1]!.uid;
    host.answer("revoke_key", ({ uid }) => {
      if (uid === bad) throw { code: "forbidden", message: "Not yours.", details: null };
      const key: KeyView = { ...host.keys.find((each) => each.uid === uid)!, status: "revoked" };
      host.keys = host.keys.map((each) => (each.uid === uid ? key : each));
      return { kind: "confirmed", key, refusedAt: null };
    });
    keys.revoke(several);
    const [dialog] = dialogs.shown;
    if (dialog?.kind !== "confirm") throw new Error("no question");
    expect(dialog.title).toBe("Revoke 3 keys?");
    dialog.onConfirm();
    expect(keys.batch).toMatchObject({ doing: "Revoking", done: 0, of: 3 });
    await settled();
    await vi.waitFor(() => expect(toasts.shown).toHaveLength(1));
    expect(toasts.shown[0]).toMatchObject({ tone: "bad", text: "Revoked 2 of 3 keys." });
    expect(toasts.shown[0]?.detail).toContain("argo-prod");
    expect(
      keys.selected.map(({ name }) => name),
      "what failed stays ticked",
    ).toEqual(["argo-prod"]);
  });

  it("can be stopped between two keys", async () => {
    const several = ["nightly-backup", "argo-prod", "argo-staging"].map(named);
    const release = host.hold("revoke_key");
    keys.revoke(several);
    const [dialog] = dialogs.shown;
    if (dialog?.kind === "confirm") dialog.onConfirm();
    keys.stopBatch();
    release();
    await settled();
    await vi.waitFor(() => expect(toasts.shown[0]?.detail).toContain("2 keys left as they were"));
    expect(asked("revoke_key")).toHaveLength(1);
  });
});

describe("re-activating", () => {
  it("offers a renewal for a key that ended meanwhile", () => {
    const key = { ...named("leaked-in-slack"), expires: NOW - 1 };
    keys.reactivate([key]);
    expect(dialogs.shown[0]).toMatchObject({ kind: "renew", thenReactivate: true });
  });

  it("re-activates an own key at once", async () => {
    keys.reactivate([named("leaked-in-slack")]);
    await vi.waitFor(() => expect(named("leaked-in-slack").status).toBe("active"));
  });
});

describe("what the caller may not do", () => {
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
