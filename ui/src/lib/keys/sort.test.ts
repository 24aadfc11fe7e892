import { expect, it } from "vitest";
import { tenantKeys } from "../../../tests/fake-tenant";
import { toRow } from "./rows";
import { pressed, sorted, Sorter, trouble, type Sort } from "./sort";

const rows = tenantKeys().map(toRow);
const names = (sort: Sort) => sorted(rows, sort).map((row) => row.key.name);

it("puts the next trouble first: what ends soon, then what has ended, then what was revoked", () => {
  const order = names(trouble);
  expect(order.slice(0, 4)).toEqual([
    "ci-prod",
    "nightly-backup",
    "terraform-staging",
    "edge-registration",
  ]);
  expect(order.slice(28, 30), "no end comes last of the usable").toEqual([
    "legacy-jenkins",
    "vault-broker",
  ]);
  expect(order.slice(30, 33), "the one that ended last first").toEqual([
    "demo-day",
    "poc-aks",
    "hackathon",
  ]);
  expect(
    sorted(rows, trouble)
      .slice(33)
      .every((row) => row.key.status === "revoked"),
  ).toBe(true);
});

it("turns the dates round but keeps usable keys above", () => {
  const order = names({ column: "expires", descending: true });
  expect(order.slice(0, 3)).toEqual(["legacy-jenkins", "vault-broker", "status-page"]);
  expect(order.indexOf("poc-aks")).toBeGreaterThan(order.indexOf("ci-prod"));
});

it("sorts names as people do", () => {
  const some = ["b", "A10", "a2", "Ä"].map((name, index) =>
    toRow({ ...tenantKeys()[0]!, name, uid: `u${index}` }),
  );
  expect(sorted(some, { column: "name", descending: false }).map((row) => row.key.name)).toEqual([
    "Ä",
    "a2",
    "A10",
    "b",
  ]);
});

it("never lets equal rows change places", () => {
  const twins = ["u2", "u1", "u3"].map((uid) => toRow({ ...tenantKeys()[0]!, uid }));
  const order = (from: typeof twins) => sorted(from, trouble).map((row) => row.uid);
  expect(order(twins)).toEqual(order([...twins].reverse()));
});

it("keeps a changed row where it was", () => {
  const old = rows[0]!;
  const changed = toRow({ ...old.key, status: "revoked" });
  const now = rows.map((row) => (row === old ? changed : row));
  expect(sorted(now, trouble).indexOf(changed)).toBeGreaterThan(30);
  const kept = sorted(now, trouble, new Map([[old.uid, old]]));
  expect(kept[0]).toBe(changed);
});

it("turns round when a header is pressed twice, and starts with the newest", () => {
  expect(pressed(trouble, "expires")).toEqual({ column: "expires", descending: true });
  expect(pressed(trouble, "name")).toEqual({ column: "name", descending: false });
  expect(pressed(trouble, "created")).toEqual({ column: "created", descending: true });
});

it("finds the same order again when a few rows changed, came or went", () => {
  for (const column of ["status", "name", "owner", "expires", "created", "keychain"] as const) {
    for (const descending of [false, true]) {
      const by = { column, descending };
      const sorter = new Sorter();
      let now = rows;
      expect(sorter.sorted(now, by)).toEqual(sorted(now, by));
      for (let step = 0; step < rows.length; step++) {
        const row = rows[step]!;
        const other = toRow({ ...row.key, uid: `x${step}`, name: `n${step}`, expires: step * 1e9 });
        now = now.map((each) => (each === row ? other : each));
        if (step % 5 === 0) now = [...now, toRow({ ...row.key, uid: `y${step}`, created: step })];
        if (step % 7 === 0) now = now.slice(1);
        expect(sorter.sorted(now, by), `${column} ${step}`).toEqual(sorted(now, by));
      }
    }
  }
});
