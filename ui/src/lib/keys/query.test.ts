import { describe, expect, it } from "vitest";
import { NOW, tenantKeys } from "../../../tests/fake-tenant";
import { parse } from "./query";
import { toRow } from "./rows";

const rows = tenantKeys().map(toRow);
const found = (text: string) => {
  const query = parse(text, NOW);
  return rows.filter(query.matches).map((row) => row.key.name);
};
const problems = (text: string) => parse(text, NOW).problems.map(({ part }) => part);

describe("words", () => {
  it("finds name, description, owner, e-mail and uid, whatever the case", () => {
    expect(found("CI-PROD")).toEqual(["ci-prod"]);
    expect(found("velero")).toEqual(["nightly-backup"]);
    expect(found("okafor")).toContain("grafana-reader");
    expect(found("tomas.brandt@")).toContain("legacy-jenkins");
    expect(found("66e844c44bab2337f20c7471")).toEqual(["ci-prod"]);
  });

  it("joins words by and, keeps quoted ones together, and turns round with a minus", () => {
    expect(found("argo prod")).toEqual(["argo-prod"]);
    expect(found('"dares to touch"')).toEqual(["legacy-jenkins"]);
    expect(found("argo -prod")).toEqual(["argo-staging"]);
    expect(found('-"argo"')).not.toContain("argo-prod");
  });

  it("filters nothing when there is nothing to search for", () => {
    for (const text of ["", "   ", '""']) {
      expect(parse(text, NOW).empty, text).toBe(true);
      expect(found(text)).toHaveLength(38);
    }
  });

  it("takes a colon in an unknown name for a word", () => {
    expect(problems("team:ci")).toEqual([]);
    expect(found("team:ci")).toEqual([]);
  });
});

describe("filters", () => {
  it("knows owners", () => {
    expect(found("owner:mikko")).toEqual(["edge-provisioner", "poc-aks", "cluster-janitor"]);
    expect(found('owner:"jane doe" status:revoked')).toEqual(["leaked-in-slack"]);
    expect(found("owner:me")).toHaveLength(7);
  });

  it("knows status, whole or begun", () => {
    expect(found("status:expiring")).toHaveLength(4);
    expect(found("status:rev")).toHaveLength(5);
    expect(found("-status:active is:expired")).toHaveLength(3);
  });

  it("knows ends, and does not call an ended key soon", () => {
    expect(found("expires:<10d")).toEqual(["ci-prod", "nightly-backup", "old-ci"]);
    expect(found("expires:<2w status:expiring")).toHaveLength(4);
    expect(found("expires:>1y")).toEqual(["legacy-jenkins", "vault-broker"]);
    expect(found("expires:never")).toEqual(["legacy-jenkins", "vault-broker"]);
    expect(found("expires:<2026-11-29")).toContain("ci-prod");
    expect(found("expires:>2026-11-29")).not.toContain("ci-prod");
  });

  it("knows ages", () => {
    expect(found("created:>1y")).toEqual(["legacy-jenkins", "vault-broker"]);
    expect(found("created:<36h")).toEqual(["audit-export", "status-page"]);
  });

  it("knows flags and holdings", () => {
    expect(found("is:never")).toHaveLength(2);
    expect(found("is:orphan")).toHaveLength(3);
    expect(found("has:secret is:app")).toEqual(["palette-keys on lark"]);
  });
});

describe("what cannot be understood", () => {
  it.each([
    "status:foo",
    "status:",
    "is:blue",
    "has:money",
    "expires:30d",
    "expires:<30x",
    "expires:<2026-13-45",
    "created:>",
    "owner:",
  ])("reports %s and filters nothing by it", (text) => {
    expect(problems(text)).toEqual([text]);
    expect(found(text)).toHaveLength(38);
  });

  it("still uses the rest", () => {
    expect(found("argo-prod status:foo")).toEqual(["argo-prod"]);
  });

  it("survives anything typed", () => {
    for (const text of ['"', "-", ":", "::", '-"', 'owner:"', "\\", "a:b:c", "<script>", "𝒦"]) {
      expect(() => found(text), text).not.toThrow();
    }
  });
});

it("answers a keystroke over 6,000 keys well within a frame", () => {
  const many = tenantKeys(6000).map(toRow);
  const runs = Array.from({ length: 15 }, () => {
    const began = performance.now();
    many.filter(parse("jane expires:<30d", NOW).matches);
    return performance.now() - began;
  }).sort((a, b) => a - b);
  expect(runs[7]).toBeLessThan(16);
});
