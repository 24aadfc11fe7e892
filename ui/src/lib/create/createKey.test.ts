import { beforeEach, describe, expect, it, vi } from "vitest";
import { fakeHost, NOW, type FakeHost } from "../../../tests/fake-host";
import { call, standIn, type CreateView, type HeldView, type LostCreationView } from "../ipc";
import { CreateKey, type CreateFacts } from "./createKey.svelte";

let host: FakeHost;
let facts: CreateFacts;
let made: HeldView[];

async function ready(options: Parameters<typeof fakeHost>[0] = {}) {
  host = fakeHost(options);
  standIn(host);
  const start = await call("start", { begins: false });
  const [connection] = start.connections;
  if (!connection) throw new Error("the fake host has a connection");
  facts = {
    connection,
    list: await call("list_keys", { connection: "acme", refresh: false }),
    settings: start.settings,
    keychain: start.keychain,
  };
  made = [];
}

function newKey(start: ConstructorParameters<typeof CreateKey>[2] = {}) {
  return new CreateKey(
    () => facts,
    (held) => made.push(held),
    start,
  );
}

const requests = (name: string) =>
  host.calls.filter((each) => each.name === name).map((each) => each.request) as {
    opId: string;
    name: string;
    ownerUid: string | null;
    saveToKeychain: boolean;
  }[];

const lost = (part: Partial<LostCreationView> = {}): CreateView => ({
  kind: "lost",
  lost: {
    creation: "lost-1",
    connection: "acme",
    name: "edge",
    askedAt: NOW,
    candidates: host.keys.slice(0, 1),
    looked: true,
    ...part,
  },
});

beforeEach(() => ready());

describe("one press makes one key", () => {
  it("sends one creation however often it is pressed meanwhile", async () => {
    const create = newKey({ name: "edge" });
    const release = host.hold("create_key");
    const first = create.generate();
    await Promise.all([create.generate(), create.generate()]);
    release();
    await first;
    expect(requests("create_key")).toHaveLength(1);
    expect(made).toHaveLength(1);
  });

  it("gives each press an id of its own", async () => {
    const create = newKey({ name: "edge" });
    host.fail("create_key", { code: "serverFault" });
    await create.generate();
    await create.generate();
    const ids = requests("create_key").map(({ opId }) => opId);
    expect(ids).toHaveLength(2);
    expect(new Set(ids).size).toBe(2);
  });

  it("trims what was typed", async () => {
    await newKey({ name: "  edge  " }).generate();
    expect(requests("create_key")[0]).toMatchObject({ name: "edge", ownerUid: null });
  });
});

describe("a failure keeps everything typed", () => {
  it("says it and leaves the fields alone", async () => {
    const create = newKey({ name: "edge", description: "CI" });
    host.fail("create_key", { code: "quotaFull", message: "No room." });
    await create.generate();
    expect(create.generalProblem?.message).toBe("No room.");
    expect([create.name, create.description, create.busy]).toEqual(["edge", "CI", false]);
  });

  it("says what belongs to the name at the name", async () => {
    const create = newKey({ name: "edge" });
    host.fail("create_key", { code: "nameTooLong", message: "Too long." });
    await create.generate();
    expect(create.nameError).toBe("Too long.");
    expect(create.generalProblem).toBeNull();
    create.edited();
    expect(create.nameError).toBeNull();
  });

  it("tells that nothing was made when the lists show it", async () => {
    const create = newKey({ name: "edge" });
    const problem = { code: "timedOut" as const, message: "No answer.", details: null };
    host.answer("create_key", () => ({ kind: "notCreated", problem }));
    await create.generate();
    expect(create.notCreated?.cause).toEqual(problem);
    expect(create.name).toBe("edge");
  });
});

describe("the name", () => {
  it("is silent until something was typed or tried", async () => {
    const create = newKey();
    expect(create.nameError).toBeNull();
    await create.generate();
    expect(create.nameError).toBe("Give the key a name.");
    expect(requests("create_key")).toHaveLength(0);
  });

  it("is checked against the owner's keys while it is typed", () => {
    const create = newKey({ name: " ci-prod " });
    expect(create.nameError).toBe("You already have a key with this name.");
    create.ownerUid = create.people.find(({ name }) => name === "Ana Ruiz")?.uid ?? "";
    expect(create.nameError).toBeNull();
    create.name = "nightly-backup";
    expect(create.nameError).toBe("Ana Ruiz already has a key with this name.");
  });

  it("holds no control characters", () => {
    expect(newKey({ name: "a\u0007b" }).nameError).toContain("control characters");
  });
});

describe("whose key it is", () => {
  it("is a choice only for those who may create for others", async () => {
    expect(newKey().people.length).toBeGreaterThan(1);
    await ready({ person: "user" });
    expect(newKey().people).toEqual([]);
  });

  it("saves own keys unless told not to, and others' only when told to", async () => {
    const create = newKey({ name: "edge" });
    expect(create.saves).toBe(true);
    create.ownerUid = create.people.find(({ name }) => name === "Ana Ruiz")?.uid ?? "";
    expect(create.saves).toBe(false);
    expect(create.saveHint).toContain("Ana Ruiz will use this key");
    await create.generate();
    expect(requests("create_key")[0]).toMatchObject({
      ownerUid: create.ownerUid,
      saveToKeychain: false,
    });
  });

  it("never promises a keychain that is not ready", async () => {
    await ready({ keychain: "locked" });
    const create = newKey();
    expect([create.maySave, create.saves]).toEqual([false, false]);
    expect(create.saveHint).toContain("Unlock it");
  });

  it("counts the room that is left", () => {
    const create = newKey();
    expect(create.room).toEqual({ text: "8 of 20 keys used afterwards", isFull: false });
    if (facts.list) facts.list = { ...facts.list, ownKeys: 20 };
    expect(create.room.isFull).toBe(true);
    if (facts.list) facts.list = { ...facts.list, quota: null };
    expect(create.room.text).toBe("Limit unknown");
  });
});

describe("a lost answer", () => {
  it("revokes the orphan first, then creates with a new id", async () => {
    const create = newKey({ name: "edge" });
    host.answer("create_key", () => lost());
    await create.generate();
    const orphan = create.lost?.candidates[0]?.uid ?? "";
    host.answer("create_key", () => ({ kind: "created", held: {} as HeldView }));
    host.answer("settle_creation", () => ({ lost: null }));
    await create.revokeAndCreateAgain(orphan);
    expect(host.calls.map(({ name }) => name).slice(-2)).toEqual(["settle_creation", "create_key"]);
    expect(requests("settle_creation")[0]).toMatchObject({
      creation: "lost-1",
      act: { kind: "revoke", uid: orphan },
    });
    const [first, second] = requests("create_key");
    expect(first?.opId).not.toBe(second?.opId);
    expect(made).toHaveLength(1);
  });

  it("creates nothing while the revocation is not confirmed", async () => {
    const create = newKey({ name: "edge" });
    host.answer("create_key", () => lost());
    await create.generate();
    host.fail("settle_creation", { code: "hostUnreachable" });
    await create.revokeAndCreateAgain("x");
    expect(requests("create_key")).toHaveLength(1);
    expect(create.lost).not.toBeNull();
    expect(create.problem?.code).toBe("hostUnreachable");
  });

  it("can be looked at again and left, and the form is still filled", async () => {
    const create = newKey({ name: "edge" });
    host.answer("create_key", () => lost({ candidates: [], looked: false }));
    await create.generate();
    const seen = lost();
    host.answer("settle_creation", ({ act }) => ({
      lost: act.kind === "look" && seen.kind === "lost" ? seen.lost : null,
    }));
    await create.lookAgain();
    expect(create.lost?.candidates).toHaveLength(1);
    expect(await create.leave()).toBe(true);
    expect([create.lost, create.name]).toEqual([null, "edge"]);
  });
});

it("sends nothing when a typed end is not a time", async () => {
  vi.useFakeTimers();
  const create = newKey({ name: "edge" });
  create.expiry.choose("custom");
  create.expiry.date = "soon";
  await create.generate();
  expect(create.expiryError?.code).toBe("expiryNotATime");
  expect(requests("create_key")).toHaveLength(0);
  vi.useRealTimers();
});
