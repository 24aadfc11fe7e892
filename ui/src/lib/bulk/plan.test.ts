import { describe, expect, it } from "vitest";
import { tenantKeys } from "../../../tests/fake-tenant";
import type { KeyView } from "../ipc";
import { leftFor, planOf, type BulkKind, type PlanFacts } from "./plan";

const [sample] = tenantKeys();
let made = 0;
const key = (part: Partial<KeyView> = {}): KeyView => ({
  ...(sample as KeyView),
  uid: `k${++made}`,
  name: `key ${made}`,
  status: "active",
  flags: [],
  may: { update: true, delete: true },
  ...part,
});
const many = (count: number, part: Partial<KeyView> = {}) =>
  Array.from({ length: count }, () => key(part));

const facts: PlanFacts = {
  isOut: ({ status, flags }) => status === "revoked" || flags.includes("revoking"),
  isGoing: ({ name }) => name === "going",
  hasEnded: ({ expires }) => expires === 0,
};
const lines = (kind: BulkKind, keys: readonly KeyView[]) =>
  planOf(kind, keys, facts).lines.map(({ words }) => words);

const signsIn = key({ flags: ["signsIn"] });
const rolling = key({
  flags: ["rolling"],
  pair: { roll: "r1", role: "old", uid: "k0", name: "next", ends: 1 },
});

describe("what a bulk act would do", () => {
  it("counts exactly, with a word for each that is left out", () => {
    const keys = [...many(31), ...many(5, { status: "revoked" }), signsIn, rolling];
    expect(lines("revoke", keys)).toEqual([
      "31 will be revoked",
      "5 are revoked already",
      "1 signs Palette Keys in",
      "1 is part of a roll",
    ]);
  });

  it("puts every key in exactly one line, for every act", () => {
    const keys = [
      ...many(3),
      ...many(2, { status: "revoked" }),
      key({ status: "revoked", expires: 0 }),
      key({ flags: ["revoking"] }),
      key({ name: "going" }),
      key({ may: { update: false, delete: false } }),
      signsIn,
      rolling,
    ];
    for (const kind of ["revoke", "reactivate", "renew", "delete"] as const) {
      const plan = planOf(kind, keys, facts);
      const uids = plan.lines.flatMap((line) => line.keys.map(({ uid }) => uid));
      expect(uids.toSorted(), kind).toEqual(keys.map(({ uid }) => uid).toSorted());
      expect(plan.will, kind).toEqual(plan.lines.find(({ why }) => why === null)?.keys);
      expect(plan.will, `${kind} never touches them`).not.toContain(signsIn);
      expect(plan.will, kind).not.toContain(rolling);
    }
  });

  it("re-activates what works again by that, and names what needs a new end", () => {
    const plan = planOf(
      "reactivate",
      [key({ status: "revoked" }), key({ status: "revoked", expires: 0 }), key()],
      facts,
    );
    expect(plan.lines.map(({ words }) => words)).toEqual([
      "1 will be re-activated",
      "1 is not revoked",
      "1 has ended and needs a renewal first",
    ]);
    expect(leftFor(plan, "ended")).toHaveLength(1);
    expect(leftFor(plan, "rolling")).toEqual([]);
  });

  it("leaves a single key of a roll to whoever asked for exactly that one", () => {
    expect(lines("revoke", [rolling])).toEqual(["1 will be revoked"]);
    expect(lines("renew", [signsIn])).toEqual(["1 will be renewed"]);
    expect(lines("revoke", [signsIn])).toEqual(["1 signs Palette Keys in"]);
    expect(lines("delete", [key({ flags: ["signsIn"], status: "revoked" })])).toEqual([
      "1 will be deleted for ever",
    ]);
  });

  it("groups thousands", () => {
    expect(lines("delete", many(1_200))).toEqual(["1,200 will be deleted for ever"]);
  });
});
