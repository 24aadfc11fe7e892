import { describe, expect, it } from "vitest";
import { tenantKeys } from "../../../tests/fake-tenant";
import { Haystack } from "./haystack";
import { toRow } from "./rows";

const rows = tenantKeys().map(toRow);
const slow = (word: string, of = rows) => of.map(({ text }) => Number(text.includes(word)));
const fast = (word: string, of = rows, haystack = new Haystack()) => [
  ...haystack.holding(of, word),
];

describe("Haystack", () => {
  it("finds what each text by itself holds", () => {
    const all = rows.map(({ text }) => text).join("");
    // Every stretch of every text, and what is in none.
    for (const length of [1, 2, 3, 7])
      for (let at = 0; at + length <= all.length; at += 5) {
        const word = all.slice(at, at + length);
        expect(fast(word), JSON.stringify(word)).toEqual(slow(word));
      }
    expect(fast("nowhere to be found")).toEqual(rows.map(() => 0));
  });

  it("finds nothing across the end of a text", () => {
    const [a, b] = [
      { ...rows[0], text: "abc" },
      { ...rows[1], text: "def" },
    ] as typeof rows;
    if (!a || !b) throw new Error("there are keys");
    for (const word of ["cd", "c\0d", "\0", "abcdef"])
      expect(fast(word, [a, b]), word).toEqual([0, 0]);
    const odd = { ...a, text: "x\0y" };
    expect(fast("x\0y", [a, odd, b]), "a text that holds the sign between").toEqual([0, 1, 0]);
    expect(fast("y", [a, odd, b])).toEqual([0, 1, 0]);
    expect(fast("def", [a, odd, b])).toEqual([0, 0, 1]);
  });

  it("follows the rows, and holds none of no rows", () => {
    const haystack = new Haystack();
    expect(fast("prod", rows, haystack)).toEqual(slow("prod"));
    const fewer = rows.slice(3);
    expect(fast("prod", fewer, haystack)).toEqual(slow("prod", fewer));
    expect(fast("prod", [], haystack)).toEqual([]);
  });
});
