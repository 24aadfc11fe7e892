import { expect, it } from "vitest";
import { extend, nothing, toggle, toggleAll } from "./selection";

const order = ["a", "b", "c", "d", "e"];
const ticked = (selection: { uids: ReadonlySet<string> }) => [...selection.uids].sort().join("");

it("ticks and unticks", () => {
  const one = toggle(nothing, "b");
  expect(ticked(one)).toBe("b");
  expect(ticked(toggle(one, "b"))).toBe("");
});

it("makes a range that grows, shrinks and turns round its anchor", () => {
  let selection = toggle(nothing, "b");
  selection = extend(selection, order, "b", "d");
  expect(ticked(selection)).toBe("bcd");
  selection = extend(selection, order, "d", "c");
  expect(ticked(selection)).toBe("bc");
  selection = extend(selection, order, "c", "a");
  expect(ticked(selection)).toBe("ab");
});

it("starts a range where one comes from when nothing was ticked", () => {
  expect(ticked(extend(nothing, order, "c", "d"))).toBe("cd");
});

it("keeps what was ticked elsewhere", () => {
  let selection = toggle(nothing, "e");
  selection = toggle(selection, "a");
  expect(ticked(extend(selection, order, "a", "b"))).toBe("abe");
});

it("starts anew when the anchor is out of sight", () => {
  const selection = toggle(nothing, "x");
  expect(ticked(extend(selection, order, "c", "d"))).toBe("cdx");
});

it("ticks all, and none when all are", () => {
  const all = toggleAll(toggle(nothing, "a"), order);
  expect(ticked(all)).toBe("abcde");
  expect(ticked(toggleAll(all, order))).toBe("");
});
