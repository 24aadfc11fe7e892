import { expect, it } from "vitest";
import type { KeyDetailsView } from "../ipc";
import { roleLines } from "./roles";

const owner = (...roles: [string, string | null][]) =>
  ({
    roles: roles.map(([name, allows]) => ({ name, allows })),
  }) as KeyDetailsView["owner"];

it("names each role once, with what it allows", () => {
  const roles = ["Tenant Admin", "Auditor", "Guest"];
  expect(
    roleLines({ roles, owner: owner(["Tenant Admin", "may edit every key"], ["Auditor", null]) }),
  ).toEqual([
    { names: "Tenant Admin", allows: "May edit every key" },
    { names: "Auditor, Guest", allows: null },
  ]);
  expect(roleLines({ roles, owner: null })).toEqual([
    { names: "Tenant Admin, Auditor, Guest", allows: null },
  ]);
  expect(roleLines({ roles: null, owner: null })).toEqual([]);
});
