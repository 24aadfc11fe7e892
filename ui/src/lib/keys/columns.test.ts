import { describe, expect, it } from "vitest";
import type { ListColumn } from "../ipc";
import { breadthOf, columnsIn, templateOf, type Breadth } from "./columns";

describe("the columns of the list", () => {
  it.each<[number, Breadth]>([
    [0, "usual"],
    [440, "least"],
    [441, "tight"],
    [600, "tight"],
    [601, "usual"],
    [819, "usual"],
    [820, "wide"],
  ])("in %i px are %s", (width, breadth) => expect(breadthOf(width)).toBe(breadth));

  it.each<[Breadth, ListColumn[], string]>([
    ["wide", [], "44px 106px minmax(0, 1fr) 170px 104px 96px 30px 44px"],
    ["usual", [], "44px 106px minmax(0, 1fr) 148px 100px 30px 38px"],
    ["usual", ["owner"], "44px 106px minmax(0, 1fr) 100px 96px 30px 38px"],
    ["tight", ["keychain"], "44px 106px minmax(0, 1fr) 44px 92px 36px"],
    ["least", [], "40px 96px minmax(0, 1fr) 84px 32px"],
  ])("%s, without %j", (breadth, hidden, template) =>
    expect(templateOf(breadth, columnsIn(breadth, hidden))).toBe(template),
  );
});
