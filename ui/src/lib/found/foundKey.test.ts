import { beforeEach, expect, it } from "vitest";
import { fakeHost, NOW, type FakeHost } from "../../../tests/fake-host";
import { standIn, type FoundOutcome, type KeyView } from "../ipc";
import { FoundKey } from "./foundKey.svelte";

let host: FakeHost;
let found: FoundKey;

beforeEach(() => {
  host = fakeHost();
  standIn(host);
  found = new FoundKey(host.connections, "lab");
});

const sent = (name: string) => host.calls.filter((each) => each.name === name);
const mine = (): KeyView[] => host.keys.filter((key) => key.mine).slice(0, 3);

async function tried(outcome?: FoundOutcome) {
  if (outcome) {
    host.answer("try_found_key", () => ({ found: "f", host: "api.spectrocloud.com", outcome }));
  }
  found.value = "a-value-that-turned-up";
  found.ask();
  await found.try();
}

it("begins with the open connection, and with the first when none is", () => {
  expect(found.connection).toBe("lab");
  expect(new FoundKey(host.connections, null).connection).toBe("acme");
});

it("sends nothing before the question was answered", async () => {
  found.ask();
  expect([found.step, found.problem?.code]).toEqual(["enter", "keyMalformed"]);
  found.value = "a-value-that-turned-up";
  await found.try();
  expect(sent("try_found_key")).toHaveLength(0);
  found.ask();
  expect(found.step).toBe("ask");
  expect(sent("try_found_key")).toHaveLength(0);
});

it("is tried once, on the chosen connection, and the window lets go of the value", async () => {
  const release = host.hold("try_found_key");
  found.value = "a-value-that-turned-up";
  found.ask();
  const first = found.try();
  await found.try();
  release();
  await first;
  expect(sent("try_found_key")).toHaveLength(1);
  expect(sent("try_found_key")[0]?.request).toMatchObject({ connection: "lab" });
  expect([found.value, found.step]).toEqual(["", "told"]);
});

it("keeps a value that can be mended and lets go of any other after trouble", async () => {
  host.fail("try_found_key", { code: "keyMalformed" });
  await tried();
  expect([found.value, found.step]).toEqual(["a-value-that-turned-up", "enter"]);
  host.fail("try_found_key", { code: "serverFault" });
  await tried();
  expect([found.value, found.step, found.problem?.code]).toEqual(["", "enter", "serverFault"]);
});

it("needs a pick where there are several, and none where there is one", async () => {
  await tried();
  expect(found.candidates.length).toBeGreaterThan(1);
  expect(found.target).toBeNull();
  found.picked = found.candidates[1]?.uid ?? "";
  expect(found.target?.uid).toBe(found.picked);

  const [only] = mine();
  if (!only) throw new Error("no key");
  await tried({ kind: "known", key: only, works: true });
  expect(found.target?.uid).toBe(only.uid);
});

it("offers nothing to revoke for what was let go of", async () => {
  const [only] = mine();
  if (!only) throw new Error("no key");
  host.answer("try_found_key", () => ({
    found: null,
    host: "h",
    outcome: { kind: "known", key: only, works: false },
  }));
  await tried();
  expect(found.target).toBeNull();
});

it("says when the wrong key was picked, and does not offer it again", async () => {
  await tried({
    kind: "unknown",
    actsAs: "Jane Doe",
    organization: "acme",
    signsIn: false,
    candidates: mine(),
    problem: null,
  });
  const [first, second] = found.candidates;
  if (!first || !second) throw new Error("no candidates");
  host.answer("revoke_found_key", () => ({
    revoked: { kind: "confirmed", key: null, refusedAt: null },
    value: { kind: "stillWorks" },
  }));
  await found.revoke(first);
  expect([found.step, found.revoked?.view.value.kind]).toEqual(["revoked", "stillWorks"]);
  found.pickAnother();
  expect(found.candidates.map(({ uid }) => uid)).not.toContain(first.uid);
  host.answer("revoke_found_key", () => ({
    revoked: { kind: "confirmed", key: second, refusedAt: NOW },
    value: { kind: "refused", at: NOW },
  }));
  await found.revoke(second);
  expect(found.revoked?.view.value).toEqual({ kind: "refused", at: NOW });
});

it("stays where it was when nothing was revoked", async () => {
  await tried();
  const [first] = found.candidates;
  if (!first) throw new Error("no candidates");
  host.fail("revoke_found_key", { code: "valueGone" });
  await found.revoke(first);
  expect([found.step, found.problem?.code]).toEqual(["told", "valueGone"]);
});

it("lets go of the value in the agent too", async () => {
  await found.forget();
  expect(sent("forget_found_key")).toHaveLength(1);
});
