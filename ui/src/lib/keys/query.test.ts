import { describe, expect, it } from "vitest";
import { NOW, tenantKeys } from "../../../tests/fake-tenant";
import {
  fields,
  holds,
  parse,
  print,
  split,
  suggest,
  toggled,
  type Field,
  type Term,
} from "./query";
import { Haystacks } from "./haystack";
import { toRow } from "./rows";

const rows = tenantKeys().map(toRow);
const haystacks = new Haystacks();
const found = (text: string) => {
  const query = parse(text, NOW);
  const one = rows.filter(query.matches);
  expect(query.select(rows, haystacks), `${text} of all at once`).toEqual(one);
  return one.map((row) => row.key.name);
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

  it("keeps quotes inside a text that was pasted between quotes", () => {
    expect(split('"<img onerror="wind" owner:"j "d" e" x"y').map(({ value }) => value)).toEqual([
      '<img onerror="wind',
      'j "d',
      'e"',
      'x"y',
    ]);
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

  it("says where, and what would be right", () => {
    const [problem] = parse("argo -status:foo x", NOW).problems;
    expect(problem).toMatchObject({ part: "status:foo", from: 5, to: 16 });
    expect(problem?.words).toContain("expiring");
    for (const [slip, meant] of [
      ["stauts:active", "status:"],
      ["ownr:jane", "owner:"],
      ["expiers:<30d", "expires:"],
      ["creates:>1y", "created:"],
    ]) {
      const { problems: found } = parse(slip ?? "", NOW);
      expect(found[0]?.words, slip).toContain(`Did you mean ${meant}`);
    }
  });

  it("takes what stands between quotes as it is", () => {
    const [first] = tenantKeys();
    if (!first) throw new Error("no key");
    const row = toRow({ ...first, description: "owner: platform team" });
    for (const text of ['"owner: platform"', '"ownr: x"', '-"owner: sam"']) {
      const query = parse(text, NOW);
      expect(query.problems, text).toEqual([]);
      expect(query.empty, text).toBe(false);
    }
    expect(parse('"owner: platform"', NOW).matches(row)).toBe(true);
    expect(parse('"owner: data"', NOW).matches(row)).toBe(false);
  });

  it("reads <= with a day as up to the end of that day", () => {
    const at = new Date("2027-01-31T18:00:00").getTime();
    const [first] = tenantKeys();
    if (!first) throw new Error("no key");
    const row = toRow({ ...first, expires: at });
    const fits = (text: string) => parse(text, NOW).matches(row);
    expect(fits("expires:<=2027-01-31")).toBe(true);
    expect(fits("expires:<2027-01-31")).toBe(false);
    expect(fits("expires:<=2027-01-30")).toBe(false);
    expect(fits("expires:>=2027-01-31")).toBe(true);
  });

  it("survives anything typed", () => {
    for (const text of ['"', "-", ":", "::", '-"', 'owner:"', "\\", "a:b:c", "<script>", "𝒦"]) {
      expect(() => found(text), text).not.toThrow();
    }
  });
});

describe("more filters", () => {
  it("looks into one field alone", () => {
    expect(found("name:argo")).toEqual(["argo-prod", "argo-staging"]);
    expect(found("name:jane")).toEqual(["dev-jane"]);
    expect(found("description:velero")).toEqual(["nightly-backup"]);
    expect(found("email:tomas.brandt@")).toContain("legacy-jenkins");
    expect(found("uid:66e844c44bab2337f20c7471")).toEqual(["ci-prod"]);
    expect(problems("name: uid:")).toEqual(["name:", "uid:"]);
  });

  it("takes nothing from the language it is written in for a filter", () => {
    expect(problems("is:constructor has:tostring")).toEqual(["is:constructor", "has:tostring"]);
    expect(problems("constructor:x")).toEqual([]);
  });
});

/** Chance that is the same on every run. */
function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

describe("properties", () => {
  const letters = [...'abzAZ019 \t\n"\\\\-:<>é𝒦\u202e', "owner:", "is:", "status:", '"', " "];
  const random = chance(20_261_125);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
  const textOf = (most: number) =>
    Array.from({ length: Math.floor(random() * most) }, () => pick(letters)).join("");

  it("never throws, and each part has its place", () => {
    for (let run = 0; run < 3000; run++) {
      const text = textOf(24);
      const query = parse(text, NOW);
      let end = 0;
      for (const { from, to } of query.terms) {
        expect(from >= end && to > from && to <= text.length, JSON.stringify(text)).toBe(true);
        end = to;
      }
      rows.slice(0, 3).forEach(query.matches);
      suggest(text, () => ["Jane Doe"]);
    }
  });

  it("reads back what it prints", () => {
    const names: (Field | null)[] = [null, ...(Object.keys(fields) as Field[])];
    for (let run = 0; run < 3000; run++) {
      const terms: Term[] = Array.from({ length: Math.floor(random() * 4) }, () => ({
        negated: random() < 0.3,
        field: pick(names),
        value: textOf(8),
      }));
      const text = terms.map(print).join(" ");
      const back = split(text).map(({ negated, field, value }) => ({ negated, field, value }));
      expect(back, JSON.stringify(text)).toEqual(terms);
    }
  });
});

describe("chips and suggestions", () => {
  it("writes and takes away the same text", () => {
    expect(toggled("argo", "is:never")).toBe("argo is:never");
    expect(toggled("", "is:never")).toBe("is:never");
    expect(toggled("IS:Never  argo", "is:never")).toBe("argo");
    expect(holds("argo is:never", "is:never")).toBe(true);
    expect(holds("argo -is:never", "is:never")).toBe(false);
    expect(toggled(toggled("a b", "-status:revoked"), "-status:revoked")).toBe("a b");
  });

  it("offers filters, then what they may be", () => {
    const people = () => ["Jane Doe", "Ana Ruiz"];
    const offered = (text: string) => suggest(text, people).map(({ term }) => term);
    expect(offered("")).toEqual([]);
    expect(offered("argo exp")).toEqual(["expires:"]);
    expect(suggest("argo exp", people)[0]?.text).toBe("argo expires:");
    expect(offered("status:e")).toEqual(["status:expiring", "status:expired"]);
    expect(suggest("-is:o", people)[0]?.text).toBe("-is:orphan ");
    expect(offered("owner:")).toEqual(["owner:me", 'owner:"Jane Doe"', 'owner:"Ana Ruiz"']);
    expect(offered("owner:rui")).toEqual(['owner:"Ana Ruiz"']);
    expect(offered("status:expired"), "nothing to add").toEqual([]);
    expect(offered("status:expired ")).toEqual([]);
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
