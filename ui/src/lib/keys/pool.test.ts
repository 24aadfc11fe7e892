import { describe, expect, it } from "vitest";
import { tenantKeys } from "../../../tests/fake-tenant";
import { Pool } from "./pool";
import { toRow } from "./rows";

const rows = tenantKeys().map(toRow);
const names = (lines: readonly ({ row: { uid: string }; place: number } | null)[]) =>
  lines.map((line) =>
    line && line.place >= 0 ? rows.findIndex(({ uid }) => uid === line.row.uid) : null,
  );

describe("Pool", () => {
  it("stands in the list's order until it is scrolled", () => {
    expect(names(new Pool().show(rows, 0, 5))).toEqual([0, 1, 2, 3, 4]);
  });

  it("keeps the elements of what stays in sight", () => {
    const pool = new Pool();
    const before = pool.show(rows, 0, 5);
    const after = pool.show(rows, 2, 5);
    expect(names(after)).toEqual([5, 6, 2, 3, 4]);
    expect(after[3]).toBe(before[3]);
    expect(after[0]).not.toBe(before[0]);
    expect(names(pool.show(rows, 13, 5))).toEqual([15, 16, 17, 13, 14]);
  });

  it("parks what the list is too short for, and finds it again as it was", () => {
    const pool = new Pool();
    pool.show(rows, 0, 4);
    const short = pool.show(rows.slice(0, 2), 0, 4);
    expect(names(short)).toEqual([0, 1, null, null]);
    expect(short[2]?.row).toBe(rows[2]);
    expect(pool.show(rows.slice(0, 2), 0, 4)[2], "parked once").toBe(short[2]);
    expect(names(pool.show(rows, 0, 4))).toEqual([0, 1, 2, 3]);
    expect(names(new Pool().show([], 0, 3))).toEqual([null, null, null]);
  });

  it("makes first what is in sight, and keeps what is right beside it", () => {
    const pool = new Pool();
    const before = pool.show(rows, 0, 6);
    const first = pool.show(rows, 3, 6, 4, 7);
    expect(names(first)).toEqual([6, null, null, 3, 4, 5]);
    expect(first[3], "beside it, and right").toBe(before[3]);
    expect(first[1]?.row, "beside it, and not due").toBe(rows[1]);
    expect(names(pool.show(rows, 3, 6))).toEqual([6, 7, 8, 3, 4, 5]);
    expect(names(new Pool().show(rows, 0, 3, 1, 2))).toEqual([null, 1, null]);
  });

  it("follows a window of another height", () => {
    const pool = new Pool();
    pool.show(rows, 4, 4);
    expect(names(pool.show(rows, 4, 6)).sort()).toEqual([4, 5, 6, 7, 8, 9]);
    expect(names(pool.show(rows, 4, 3)).sort()).toEqual([4, 5, 6]);
  });
});
