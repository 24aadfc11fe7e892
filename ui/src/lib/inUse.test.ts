import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { fakeHost, type FakeHost } from "../../tests/fake-host";
import { followUse } from "./inUse";
import { standIn } from "./ipc";

let host: FakeHost;
let matters: boolean;
let end: () => void;

const told = () => host.calls.filter(({ name }) => name === "in_use").length;
const press = () => window.dispatchEvent(new KeyboardEvent("keydown", { key: "a" }));

describe("telling that the window is used", () => {
  beforeEach(() => {
    vi.useFakeTimers();
    host = fakeHost();
    standIn(host);
    matters = true;
    end = followUse(() => matters);
  });
  afterEach(() => {
    end();
    vi.useRealTimers();
  });

  it("tells the first sign at once and the rest together, the last one too", async () => {
    press();
    expect(told()).toBe(1);
    press();
    window.dispatchEvent(new Event("pointermove"));
    await vi.advanceTimersByTimeAsync(9_000);
    expect(told()).toBe(1);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(told()).toBe(2);
    // Nobody was there since.
    await vi.advanceTimersByTimeAsync(60_000);
    expect(told()).toBe(2);
    window.dispatchEvent(new Event("wheel"));
    expect(told()).toBe(3);
  });

  it("tells nothing where it does not matter, and after its end", async () => {
    matters = false;
    press();
    matters = true;
    press();
    press();
    end();
    await vi.advanceTimersByTimeAsync(20_000);
    window.dispatchEvent(new Event("pointerdown"));
    expect(told()).toBe(1);
  });
});
