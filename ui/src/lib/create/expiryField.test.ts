import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { fakeHost, NOW, type FakeHost } from "../../../tests/fake-host";
import { standIn, type ExpiryView } from "../ipc";
import { ExpiryField, type ExpiryStart } from "./expiryField.svelte";

const DAY = 86_400_000;
let host: FakeHost;

beforeEach(() => {
  host = fakeHost();
  standIn(host);
  vi.useFakeTimers();
});
afterEach(() => vi.useRealTimers());

const field = (part: Partial<ExpiryStart> = {}) =>
  new ExpiryField({ connection: "acme", days: 30, longest: null, ...part });
const settled = () => vi.advanceTimersByTimeAsync(500);
const labels = (part: Partial<ExpiryStart>) => field(part).options.map(({ label }) => label);

describe("what is offered", () => {
  it("is the presets and a date of one's own", () => {
    expect(labels({})).toEqual(["7 days", "30 days", "60 days", "90 days", "Custom"]);
  });
  it("joins the default of the settings", () => {
    expect(labels({ days: 45 })).toContain("45 days");
    expect(field({ days: 45 }).chosen).toBe("45");
  });
  it("leaves out what is longer than allowed", () => {
    expect(labels({ longest: 30 })).toEqual(["7 days", "30 days", "Custom"]);
    expect(labels({ longest: 45 })).toEqual(["7 days", "30 days", "45 days", "Custom"]);
    expect(field({ days: 3, longest: 1 }).chosen).toBe("1");
  });
  it("starts from the end a key has, where there is one", () => {
    const kept = field({ keep: true });
    expect([kept.options[0]?.label, kept.chosen, kept.choice]).toEqual(["Keep", "keep", null]);
  });
});

describe("what it comes to", () => {
  it("is asked at once for a preset", async () => {
    const asked = field();
    await settled();
    expect(asked.end?.at).toBe(NOW + 30 * DAY);
    asked.choose("7");
    await settled();
    expect(asked.end?.at).toBe(NOW + 7 * DAY);
  });

  it("waits for a pause in typing, and says what is wrong in place", async () => {
    const asked = field();
    await settled();
    asked.choose("custom");
    await settled();
    expect(asked.date).toMatch(/^\d{4}-\d\d-\d\d$/u);
    const before = host.calls.length;
    for (const date of ["2", "20", "2020-01-01"]) {
      asked.date = date;
      asked.typed();
    }
    await settled();
    expect(host.calls.length - before).toBe(1);
    expect(asked.problem?.code).toBe("expiryPast");
    expect(asked.end).toBeNull();
  });

  it("never shows the answer to an older choice", async () => {
    const asked = field();
    await settled();
    const answers: ((view: ExpiryView) => void)[] = [];
    host.answer("resolve_expiry", () => new Promise((done) => answers.push(done)));
    const view = (days: number) => ({ at: NOW + days * DAY, local: "", utc: "", days });
    asked.choose("60");
    asked.choose("90");
    await settled();
    answers[1]?.(view(90));
    answers[0]?.(view(60));
    await settled();
    expect(asked.end?.days).toBe(90);
  });
});
