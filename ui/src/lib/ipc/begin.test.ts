import { beforeEach, expect, it } from "vitest";
import { fakeHost, type FakeHost } from "../../../tests/fake-host";
import { askEarly, askStart } from "./begin";
import { standIn } from "./index";

let host: FakeHost;

beforeEach(() => {
  host = fakeHost();
  standIn(host);
});

const asked = () => host.calls.filter(({ name }) => name === "start").length;

it("asks once for what was asked early, and anew after that", async () => {
  askEarly();
  expect(asked()).toBe(1);
  expect((await askStart()).list?.keys.length).toBeGreaterThan(0);
  expect(asked()).toBe(1);
  await askStart();
  expect(asked()).toBe(2);
});

it("gives a failure to whoever takes the answer, and then tries again", async () => {
  host.fail("start", { code: "internal" });
  askEarly();
  await expect(askStart()).rejects.toMatchObject({ code: "internal" });
  host.fail("start", null);
  expect((await askStart()).active).toBe("acme");
});
