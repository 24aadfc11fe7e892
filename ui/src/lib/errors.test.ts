import { readFileSync } from "node:fs";
import { expect, expectTypeOf, it } from "vitest";
import { isKeychain, isNetwork, nextStep, present } from "./errors";
import type { ErrorCode } from "./ipc";

const source = readFileSync("src/lib/ipc/generated/types.ts", "utf8");
const codes = [...(/ErrorCode = (.*?);/.exec(source)?.[1] ?? "").matchAll(/"(\w+)"/g)].map(
  ([, code]) => code as ErrorCode,
);

it("has words for every code that Rust can send", () => {
  expectTypeOf(present).parameter(0).toEqualTypeOf<ErrorCode>();
  expect(codes.length).toBeGreaterThan(50);
  for (const code of codes) {
    const { title, next } = present(code);
    expect(title, code).toMatch(/^\S.*[^.\s]$/);
    expect(title.length, `${code}: a title is short`).toBeLessThan(60);
    if (next !== null) expect(next, code).toMatch(/^[A-Z].*\.$/s);
  }
});

it("says one next step, and that once", () => {
  const next = "Ask a tenant admin for the permission.";
  expect(nextStep({ code: "forbidden", message: "You may not make keys for others." })).toBe(next);
  expect(nextStep({ code: "forbidden", message: `You may not do this. ${next}` })).toBeNull();
  // What comes from talking to a server says it by itself.
  const message = "api.spectrocloud.com did not answer in time. Check your network and try again.";
  expect(nextStep({ code: "timedOut", message })).toBeNull();
});

it("never uses the words we do not use", () => {
  const words = codes.flatMap((code) => Object.values(present(code))).join("\n");
  expect(words).not.toMatch(/\b(disable|deactivate|token|profile|vault)\b/i);
});

it("tells the network and the keychain from the rest", () => {
  expect(codes.filter(isNetwork)).toEqual([
    "hostUnreachable",
    "hostUnknown",
    "timedOut",
    "proxyFailed",
  ]);
  expect(codes.filter(isKeychain)).toHaveLength(7);
});
