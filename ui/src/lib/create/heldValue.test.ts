import { beforeEach, describe, expect, it, vi } from "vitest";
import { fakeHost, type FakeHost } from "../../../tests/fake-host";
import { standIn, type ErrorView, type HeldView } from "../ipc";
import { HeldValue } from "./heldValue.svelte";

let host: FakeHost;
const closed = vi.fn<(kept: boolean) => void>();
let copyProblem: ErrorView | null;

async function held(part: Partial<HeldView> = {}) {
  const [view] = (await host.call("held_values", null)) as HeldView[];
  if (!view) throw new Error("the fake host holds a value");
  const copy = () => Promise.resolve(copyProblem);
  return new HeldValue(
    { ...view, kept: false, saved: { kind: "notAsked" }, ...part },
    copy,
    closed,
  );
}

beforeEach(() => {
  host = fakeHost({ held: true });
  standIn(host);
  closed.mockReset();
  copyProblem = null;
});

const sent = (name: string) => host.calls.filter((each) => each.name === name);

describe("Done", () => {
  it("closes when somebody has the value", async () => {
    await (await held()).done();
    expect(closed).toHaveBeenCalledWith(true);
  });

  it("asks when nobody has it, and does nothing else", async () => {
    host.fail("finish_held", { code: "valueNotKept" });
    const value = await held();
    await value.done();
    expect(value.asking).toBe(true);
    expect(value.problem).toBeNull();
    expect(closed).not.toHaveBeenCalled();
    value.goBack();
    expect(value.asking).toBe(false);
  });

  it("says any other failure and stays", async () => {
    host.fail("finish_held", { code: "storeFailed" });
    const value = await held();
    await value.done();
    expect([value.asking, value.problem?.code]).toEqual([false, "storeFailed"]);
    expect(closed).not.toHaveBeenCalled();
  });
});

describe("Revoke and close", () => {
  it("closes only after the revocation", async () => {
    const value = await held();
    value.ask();
    host.fail("finish_held", { code: "outcomeUnknown" });
    await value.revokeAndClose();
    expect(closed).not.toHaveBeenCalled();
    expect(value.asking).toBe(true);
    expect(value.problem?.code).toBe("outcomeUnknown");
    host.fail("finish_held", null);
    await value.revokeAndClose();
    expect(closed).toHaveBeenCalledWith(false);
    expect(sent("finish_held").at(-1)?.request).toMatchObject({ finish: "revokeAndClose" });
  });

  it("gives each press an id of its own", async () => {
    const value = await held();
    host.fail("finish_held", { code: "outcomeUnknown" });
    await value.revokeAndClose();
    await value.revokeAndClose();
    const ids = sent("finish_held").map(({ request }) => (request as { opId: string }).opId);
    expect(new Set(ids).size).toBe(2);
  });
});

describe("keeping it", () => {
  it("counts a copy, not a failed copy", async () => {
    const value = await held();
    copyProblem = { code: "clipboardFailed", message: "No clipboard.", details: null };
    await value.copy("value");
    expect([value.view.kept, value.problem?.code]).toEqual([false, "clipboardFailed"]);
    copyProblem = null;
    await value.copy("curl");
    expect([value.view.kept, value.problem]).toEqual([true, null]);
  });

  it("says why the keychain did not take it, and lets it be tried again", async () => {
    const value = await held();
    host.fail("save_held_to_keychain", { code: "keychainLocked" });
    await value.saveToKeychain();
    expect(value.view.saved).toMatchObject({ kind: "failed", problem: { code: "keychainLocked" } });
    host.fail("save_held_to_keychain", null);
    await value.saveToKeychain();
    expect(value.isSaved).toBe(true);
  });

  it("takes a dismissed file chooser for an answer", async () => {
    const value = await held();
    host.fail("save_held_to_file", { code: "cancelled" });
    await value.saveToFile();
    expect([value.problem, value.wroteFile]).toEqual([null, false]);
  });
});
