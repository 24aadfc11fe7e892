import { beforeEach, describe, expect, it, vi } from "vitest";
import { fakeHost, NOW, type FakeHost } from "../../../tests/fake-host";
import { Dialogs } from "../dialogs.svelte";
import { call, listen, standIn, type EditRequest, type KeyView, type Settings } from "../ipc";
import { Keys } from "../keys/keys.svelte";
import { Outbox } from "../outbox/outbox.svelte";
import { Toasts } from "../toasts.svelte";
import { DeleteKeys } from "./deleteKeys.svelte";
import { EditKey } from "./editKey.svelte";
import { RenewKeys } from "./renewKeys.svelte";

let host: FakeHost;
let keys: Keys;
let settings: Settings;
const done = vi.fn();

beforeEach(async () => {
  host = fakeHost();
  standIn(host);
  settings = (await call("start", { begins: false })).settings;
  const outbox = new Outbox({ left: (ends) => keys.left(ends), unclaimed: () => {} });
  await listen("outbox-changed", (view) => outbox.take(view));
  await listen("outbox-ended", (end) => outbox.ended(end));
  keys = new Keys("acme", {
    toasts: new Toasts(),
    dialogs: new Dialogs(),
    outbox,
    connectionName: () => "acme",
    now: () => NOW,
    mayCreateForOthers: () => true,
    leadDays: () => 14,
    signedOut: () => {},
  });
  await keys.reload();
  done.mockReset();
});

const sent = (name: string) => host.calls.filter((each) => each.name === name);
const named = (name: string): KeyView => {
  const key = host.keys.find((each) => each.name === name);
  if (!key) throw new Error(`no key ${name}`);
  return key;
};
const settled = () => vi.waitFor(() => expect(done).toHaveBeenCalled());

describe("editing", () => {
  async function edit(name = "ci-prod") {
    const editing = new EditKey({ keys, key: named(name), settings }, done);
    await vi.waitFor(() => expect(editing.key).not.toBeNull());
    return editing;
  }

  it("reads the key again and starts from what is true now", async () => {
    const stale = named("ci-prod");
    host.keys = host.keys.map((key) =>
      key.uid === stale.uid ? { ...key, description: "Changed since" } : key,
    );
    const editing = new EditKey({ keys, key: stale, settings }, done);
    await vi.waitFor(() => expect(editing.description).toBe("Changed since"));
    expect(editing.isChanged).toBe(false);
  });

  it("sends what the person saw as base, and keeps the end unless told", async () => {
    const editing = await edit();
    editing.description = "New";
    expect(editing.isChanged).toBe(true);
    await editing.save();
    const request = sent("edit_key")[0]?.request as EditRequest;
    expect(request).toMatchObject({
      name: "ci-prod",
      description: "New",
      expiry: null,
      base: {
        name: "ci-prod",
        description: "GitHub Actions, deploys of the payment clusters",
      },
    });
    expect(done).toHaveBeenCalledOnce();
  });

  it("shows a key that is gone instead of fields to fill", async () => {
    host.fail("read_key", { code: "keyGone" });
    const editing = new EditKey({ keys, key: named("ci-prod"), settings }, done);
    await vi.waitFor(() => expect(editing.unread?.code).toBe("keyGone"));
    await editing.save();
    expect(sent("edit_key")).toHaveLength(0);
  });

  it("says that it could not be read until it was, whatever is typed", async () => {
    host.fail("read_key", { code: "hostUnreachable" });
    const editing = new EditKey({ keys, key: named("ci-prod"), settings }, done);
    await vi.waitFor(() => expect(editing.unread?.code).toBe("hostUnreachable"));
    editing.description = "New";
    editing.edited();
    expect(editing.unread?.code).toBe("hostUnreachable");
    host.fail("read_key", null);
    await editing.read();
    expect([editing.unread, editing.description]).toEqual([null, "New"]);
    await editing.save();
    expect(sent("edit_key")[0]?.request).toMatchObject({ name: "ci-prod", description: "New" });
  });

  it("leaves alone what was typed before the key was read", async () => {
    const stale = named("ci-prod");
    host.keys = host.keys.map((key) =>
      key.uid === stale.uid ? { ...key, name: "ci-main", description: "Changed since" } : key,
    );
    const release = host.hold("read_key");
    const editing = new EditKey({ keys, key: stale, settings }, done);
    editing.name = "ci-prod-2";
    release();
    await vi.waitFor(() => expect(editing.key).not.toBeNull());
    expect([editing.name, editing.description]).toEqual(["ci-prod-2", "Changed since"]);
    await editing.save();
    const { base } = sent("edit_key")[0]?.request as EditRequest;
    expect(base, "what it was typed over, so that core asks").toMatchObject({
      name: "ci-prod",
      description: "Changed since",
    });
  });

  describe("when someone else changed it meanwhile", () => {
    async function conflict() {
      const editing = await edit();
      const theirs = { ...named("ci-prod"), description: "Theirs" };
      host.answer("edit_key", ({ base }) =>
        base.description === "Theirs"
          ? { kind: "saved", key: theirs }
          : { kind: "conflict", theirs },
      );
      editing.name = "ci-prod-2";
      await editing.save();
      return editing;
    }

    it("shows both and saves nothing", async () => {
      const editing = await conflict();
      expect(done).not.toHaveBeenCalled();
      expect(editing.differences).toEqual([
        { field: "name", base: "ci-prod", theirs: "ci-prod", yours: "ci-prod-2" },
        {
          field: "description",
          base: "GitHub Actions, deploys of the payment clusters",
          theirs: "Theirs",
          yours: "Theirs",
        },
      ]);
    });

    it("saves mine over theirs, but not over what I did not touch", async () => {
      const editing = await conflict();
      await editing.saveMine();
      const [first, second] = sent("edit_key").map(({ request }) => request as EditRequest);
      expect(second).toMatchObject({
        name: "ci-prod-2",
        description: "Theirs",
        base: { name: "ci-prod", description: "Theirs" },
      });
      expect(first?.opId).not.toBe(second?.opId);
      expect(done).toHaveBeenCalledOnce();
    });

    it("takes theirs without sending anything", async () => {
      const editing = await conflict();
      editing.useTheirs();
      expect(sent("edit_key")).toHaveLength(1);
      expect(done).toHaveBeenCalledOnce();
    });
  });

  it("refuses a name the owner has already", async () => {
    const editing = await edit();
    editing.name = "terraform-staging";
    expect(editing.nameError).toBe("The owner already has a key with this name.");
    await editing.save();
    expect(sent("edit_key")).toHaveLength(0);
  });
});

describe("renewing", () => {
  it("moves the end of one key from now", async () => {
    const renewal = new RenewKeys(
      { keys, renewed: [named("ci-prod")], settings, thenReactivate: false },
      done,
    );
    await renewal.renew();
    expect(sent("renew_key")[0]?.request).toMatchObject({ expiry: { kind: "days", days: 30 } });
    expect(done).toHaveBeenCalledOnce();
  });

  it("re-activates after it, where both are needed", async () => {
    const renewal = new RenewKeys(
      { keys, renewed: [named("ci-prod")], settings, thenReactivate: true },
      done,
    );
    await renewal.renew();
    expect([sent("renew_key").length, sent("reactivate_key").length]).toEqual([1, 1]);
  });

  it("leaves several to the list, in one call", async () => {
    const renewal = new RenewKeys(
      { keys, renewed: host.keys.slice(0, 3), settings, thenReactivate: false },
      done,
    );
    await renewal.renew();
    await vi.waitFor(() => expect(sent("bulk_keys")).toHaveLength(1));
    expect(sent("bulk_keys")[0]?.request).toMatchObject({
      uids: renewal.renewed.map(({ uid }) => uid),
      act: { kind: "renew", expiry: { kind: "days", days: 30 }, reactivate: false },
    });
    expect(done).toHaveBeenCalledOnce();
  });

  it("leaves out the key that signs in, and offers to re-activate revoked ones", async () => {
    const renewed = [named("palette-keys on lark"), named("ci-prod"), named("leaked-in-slack")];
    const renewal = new RenewKeys({ keys, renewed, settings, thenReactivate: false }, done);
    expect(renewal.plan?.lines.map(({ words }) => words)).toEqual([
      "2 will be renewed",
      "1 signs Palette Keys in",
    ]);
    expect(renewal.revoked.map(({ name }) => name)).toEqual(["leaked-in-slack"]);
    renewal.reactivate = true;
    await renewal.renew();
    await vi.waitFor(() => expect(named("leaked-in-slack").status).toBe("active"));
    expect(sent("bulk_keys")[0]?.request).toMatchObject({ act: { reactivate: true } });
  });

  it("says which lives a new end would shorten", async () => {
    const renewal = new RenewKeys(
      { keys, renewed: [named("ci-prod"), named("argo-prod")], settings, thenReactivate: false },
      done,
    );
    renewal.expiry.choose("7");
    await vi.waitFor(() => expect(renewal.expiry.end?.days).toBe(7));
    const later = [named("ci-prod"), named("argo-prod")].filter(
      ({ expires }) => expires === null || expires > (renewal.expiry.end?.at ?? 0),
    );
    expect(renewal.shortened.map(({ name }) => name)).toEqual(later.map(({ name }) => name));
    expect(later.length).toBeGreaterThan(0);
  });

  it("says nothing more of an end when another is chosen", async () => {
    host.fail("renew_key", { code: "expiryBeyondPolicy" });
    const renewal = new RenewKeys(
      { keys, renewed: [named("ci-prod")], settings, thenReactivate: false },
      done,
    );
    await renewal.renew();
    expect(renewal.expiryError?.code).toBe("expiryBeyondPolicy");
    renewal.endChosen();
    expect(renewal.expiryError).toBeNull();
  });

  it("stays open with the reason when it did not work", async () => {
    host.fail("renew_key", { code: "forbidden" });
    const renewal = new RenewKeys(
      { keys, renewed: [named("ci-prod")], settings, thenReactivate: false },
      done,
    );
    await renewal.renew();
    expect([renewal.generalProblem?.code, renewal.busy]).toEqual(["forbidden", false]);
    expect(done).not.toHaveBeenCalled();
  });
});

describe("deleting", () => {
  it("needs the exact name, but for the spaces around it", async () => {
    const deletion = new DeleteKeys(keys, [named("ci-prod")], done);
    expect(deletion.asks.note).toBe("The name is ci-prod");
    for (const typed of ["", " ", "CI-PROD", "ci-pro", "0c7471"]) {
      deletion.typed = typed;
      expect(deletion.mayDelete).toBe(false);
      await deletion.delete();
    }
    expect(sent("delete_key")).toHaveLength(0);
    deletion.typed = "ci-prod ";
    await deletion.delete();
    expect(sent("delete_key")[0]?.request).toMatchObject({ typedName: "ci-prod " });
    expect(done).toHaveBeenCalledOnce();
  });

  it.each(["", "  ", "two\nlines", "a  b", "pro\u202ed", "pro\u200bd"])(
    "needs the end of the uid where nobody can type the name: %j",
    async (name) => {
      const { uid } = named("ci-prod");
      host.keys = host.keys.map((key) => (key.uid === uid ? { ...key, name } : key));
      const deletion = new DeleteKeys(keys, [named(name)], done);
      expect(deletion.asks.label).toBe("Type …0c7471 to delete");
      for (const typed of ["", name, name.trim(), "(no name)"]) {
        deletion.typed = typed;
        expect(deletion.mayDelete).toBe(false);
        await deletion.delete();
      }
      expect(sent("delete_key")).toHaveLength(0);
      deletion.typed = "0c7471";
      await deletion.delete();
      expect(sent("delete_key")).toHaveLength(1);
      expect(done).toHaveBeenCalledOnce();
    },
  );

  it("takes a name with a space at its end as it is seen", () => {
    const deletion = new DeleteKeys(keys, [{ ...named("ci-prod"), name: "ci-prod " }], done);
    deletion.typed = "ci-prod";
    expect(deletion.mayDelete).toBe(true);
  });

  it("needs the number of several", async () => {
    const deletion = new DeleteKeys(keys, host.keys.slice(0, 3), done);
    expect(deletion.asks.note).toBe("The number is 3");
    expect(deletion.mayDelete).toBe(false);
    deletion.typed = "3";
    await deletion.delete();
    await settled();
    await vi.waitFor(() => expect(host.keys).toHaveLength(35));
    expect(sent("delete_key"), "one call for all of them").toHaveLength(0);
    expect(sent("add_to_outbox")).toHaveLength(1);
  });

  it("knows which keys still work", () => {
    const keysOf = (name: string) => new DeleteKeys(keys, [named(name)], done).working;
    expect(keysOf("ci-prod")).toHaveLength(1);
    expect(keysOf("demo-day")).toHaveLength(0);
    expect(keysOf("leaked-in-slack")).toHaveLength(0);
  });

  it("says in the open dialog why it failed", async () => {
    host.fail("delete_key", { code: "forbidden" });
    const deletion = new DeleteKeys(keys, [named("ci-prod")], done);
    deletion.typed = "ci-prod";
    await deletion.delete();
    expect(deletion.problem?.code).toBe("forbidden");
    expect(done).not.toHaveBeenCalled();
  });

  it("closes when the server was not heard in time: it goes on by itself", async () => {
    host.fail("delete_key", { code: "outcomeUnknown", message: "No answer came." });
    const deletion = new DeleteKeys(keys, [named("ci-prod")], done);
    deletion.typed = "ci-prod";
    await deletion.delete();
    expect(done).toHaveBeenCalledOnce();
    expect(keys.find(named("ci-prod").uid), "not gone before the server says so").not.toBeNull();
  });
});
