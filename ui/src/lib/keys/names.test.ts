import { describe, expect, it } from "vitest";
import {
  confirmation,
  isConfirmed,
  nameAndUid,
  parted,
  person,
  short,
  shownName,
  visible,
} from "./names";

/** The cases of core's `shown.rs`, and what a list has to show besides. */
const table: [string, string][] = [
  ["ci-prod", "ci-prod"],
  [" ci prod ", " ci prod "],
  ["ci\t", "ci⟨U+0009⟩"],
  ["pro\u202ed", "pro⟨U+202E⟩d"],
  ["pro\u200bd", "pro⟨U+200B⟩d"],
  ["two\nlines\0", "two⟨U+000A⟩lines⟨U+0000⟩"],
  ["line\u2028sep", "line⟨U+2028⟩sep"],
  ["<b>&amp;", "<b>&amp;"],
  ["\ufeff", "⟨U+FEFF⟩"],
  ["ключ 鍵 🔑", "ключ 鍵 🔑"],
  ["مفتاح", "\u2068مفتاح\u2069"],
  [" \u00a0 ", ""],
  ["", ""],
  ["prod&1", "prod&1"],
  ["p_rod", "p_rod"],
  ["a\u00a0b\u3000c", "a b c"],
  ["next\u0085line", "next⟨U+0085⟩line"],
  ["soft\u00adhyphen", "soft⟨U+00AD⟩hyphen"],
  ["tag\u{e0041}", "tag⟨U+E0041⟩"],
  ["pro\u202eمفتاح", "\u2068pro⟨U+202E⟩مفتاح\u2069"],
];

describe("text from outside", () => {
  it.each(table)("is one visible line: %j", (text, expected) =>
    expect(visible(text, 60)).toBe(expected),
  );

  it("loses its middle when it is long, as in core", () => {
    for (const text of ["ä".repeat(10_000), "\u202e".repeat(100_000), "x".repeat(61)]) {
      const shown = visible(`START${text}END`, 60);
      expect([...shown]).toHaveLength(60);
      expect(shown).toMatch(/^START.*….*END$/u);
    }
    const long = `${"a".repeat(30)}-middle-${"z".repeat(30)}`;
    expect(visible(long, 40)).toBe(`${"a".repeat(20)}…${"z".repeat(19)}`);
    expect(visible("🔑".repeat(60), 60)).toBe("🔑".repeat(60));
  });

  it("is shown as it is where nothing is odd, and fast", () => {
    const names = Array.from({ length: 6_000 }, (_, index) => `team-${index}-deploy`);
    const began = performance.now();
    for (const name of names) expect(shownName(name) === name).toBe(true);
    expect(performance.now() - began).toBeLessThan(1_000);
  });

  it("has words where there is nothing to see", () => {
    expect([shownName(""), short(" \t"), person("")]).toEqual([
      "(no name)",
      " ⟨U+0009⟩",
      "Unknown person",
    ]);
    expect(short("\u00a0")).toBe("(no name)");
  });

  it("tells keys of one name apart", () => {
    expect(nameAndUid({ name: "ci", uid: "66e844c44bab2337f20c7471" })).toBe("ci\u00A0…0c7471");
    expect(nameAndUid({ name: "", uid: "k1" })).toBe("(no\u00A0name)\u00A0…k1");
    const [a, b] = [
      nameAndUid({ name: "ci of jane", uid: "a1" }),
      nameAndUid({ name: "x", uid: "b2" }),
    ];
    expect(parted(`Keys: ${a}, ${b} and 2 more`)).toEqual(["Keys: ", a, ", ", b, " and 2 more"]);
    expect(parted("Owner: Jane")).toEqual(["Owner: Jane"]);
  });
});

describe("what confirms a deletion", () => {
  const UID = "66e844c44bab2337f20c7471";

  // The same table as in core's `keys/delete.rs`.
  it.each<[typed: string, name: string, confirmed: boolean]>([
    ["ci-prod", "ci-prod", true],
    [" ci-prod ", "ci-prod", true],
    ["ci-prod", " ci-prod  ", true],
    ["CI-PROD", "ci-prod", false],
    ["ci-pro", "ci-prod", false],
    ["", "ci-prod", false],
    ["0c7471", "ci-prod", false],
    ["ключ 鍵 🔑", "ключ 鍵 🔑", true],
    ["مفتاح", "مفتاح", true],
    ["", "", false],
    ["  ", "  ", false],
    ["(no name)", "", false],
    ["0c7471", "", true],
    ["…0c7471 ", "", true],
    ["0C7471", "", false],
    ["c7471", "", false],
    ["…", "", false],
    ["two lines", "two\nlines", false],
    ["two\nlines", "two\nlines", false],
    ["0c7471", "two\nlines", true],
    ["prod", "prod\n", false],
    ["0c7471", "prod\n", true],
    ["prod", "\u{feff}prod", false],
    ["0c7471", "pro\u{202e}d", true],
    ["0c7471", "pro\u{200b}d", true],
    ["a b", "a  b", false],
    ["0c7471", "a  b", true],
    ["a b", "a\u{a0}b", false],
    ["0c7471", "a\u{a0}b", true],
  ])("%j for %j: %j", (typed, name, confirmed) =>
    expect(isConfirmed(typed, name, UID)).toBe(confirmed),
  );

  it("is the name as it is shown, else the end of the uid", () => {
    expect(confirmation(" ci-prod ", UID)).toEqual({ kind: "name", text: "ci-prod" });
    expect(confirmation("x".repeat(257), UID)).toEqual({ kind: "uid", text: "0c7471" });
    expect(isConfirmed("", "", ""), "without a uid nothing confirms").toBe(false);
  });
});
