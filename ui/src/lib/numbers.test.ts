import { expect, it } from "vitest";
import { count, grouped } from "./numbers";

it("counts with a noun", () => {
  expect(count(1, "key")).toBe("1 key");
  expect(count(0, "key")).toBe("0 keys");
  expect(count(999, "key")).toBe("999 keys");
  expect(count(6000, "key")).toBe("6,000 keys");
});

it("takes the plural that a noun has", () => {
  expect(count(1, "entry", "entries")).toBe("1 entry");
  expect(count(2, "person", "people")).toBe("2 people");
});

it("groups digits by three", () => {
  expect(grouped(0)).toBe("0");
  expect(grouped(1_234_567)).toBe("1,234,567");
});
