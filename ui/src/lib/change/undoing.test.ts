import { beforeEach, describe, expect, it, vi } from "vitest";
import { fakeHost, NOW, type FakeHost } from "../../../tests/fake-host";
import { App } from "../app.svelte";
import { Dialogs } from "../dialogs.svelte";
import { standIn, type ActivityView, type KeyState, type KeyView, type UndoView } from "../ipc";
import { Toasts } from "../toasts.svelte";
import { differencesOf, Undoing, type UndoConflict } from "./undoing.svelte";

const MINUTE = 60_000;
let host: FakeHost;
let toasts: Toasts;
let dialogs: Dialogs;
let undoing: Undoing;
const changed = vi.fn();

beforeEach(() => {
  host = fakeHost();
  standIn(host);
  toasts = new Toasts();
  dialogs = new Dialogs();
  changed.mockReset();
  undoing = new Undoing({ toasts, dialogs, changed });
});

const sent = () => host.calls.filter(({ name }) => name === "undo");
const ciProd = (): KeyView => {
  const key = host.keys.find(({ name }) => name === "ci-prod");
  if (!key) throw new Error("no ci-prod");
  return key;
};
const state = (part: Partial<KeyState> = {}): KeyState => ({
  name: "ci-prod",
  description: "",
  expires: NOW,
  active: true,
  ...part,
});
const conflict = (part: Partial<UndoConflict> = {}): UndoConflict => ({
  kind: "conflict",
  line: 7,
  act: "edit",
  connection: "acme",
  key: ciProd(),
  left: state({ name: "mine" }),
  now: state({ name: "theirs" }),
  back: state({ name: "before" }),
  ...part,
});
const answer = (view: UndoView) => host.answer("undo", () => view);

describe("an undo", () => {
  it("takes back what it said of a try that failed, and only that", async () => {
    const one = { kind: "line", line: 7 } as const;
    host.fail("undo", { code: "forbidden" });
    await undoing.run(one);
    await undoing.run({ kind: "line", line: 8 });
    await undoing.run(one);
    expect(
      toasts.shown.map(({ tone }) => tone),
      "one a line",
    ).toEqual(["bad", "bad"]);
    host.fail("undo", null);
    answer({ kind: "undone", connection: "acme", act: "edit", key: ciProd(), sent: true });
    await undoing.run(one);
    expect(toasts.shown.map(({ tone }) => tone)).toEqual(["bad", "ok"]);
  });

  it("says what it did, shows the key, and offers to do it again", async () => {
    await undoing.run({ kind: "act", connection: "acme", uid: ciProd().uid, act: "renew" });
    expect(toasts.shown[0]?.text).toBe("Changed ci-prod back.");
    expect(changed).toHaveBeenCalledWith("acme", expect.objectContaining({ name: "ci-prod" }));
    expect(toasts.shown[0]?.action?.label).toBe("Redo");
    expect(toasts.undoable, "Ctrl+Z goes on to what was before").toBeNull();
    toasts.shown[0]?.action?.run();
    await vi.waitFor(() => expect(sent()).toHaveLength(2));
    expect(sent()[1]?.request).toMatchObject({ target: { kind: "act", act: "edit" } });
  });

  it("claims nothing that was not sent", async () => {
    const key = ciProd();
    answer({ kind: "undone", act: "edit", connection: "acme", key, sent: false });
    await undoing.run({ kind: "line", line: 1 });
    expect(toasts.shown[0]?.text).toBe("ci-prod was so already. Nothing was sent.");
    expect(toasts.shown[0]?.action).toBeUndefined();
  });

  it("asks when somebody changed the key, and sends what was shown along", async () => {
    answer(conflict());
    await undoing.run({ kind: "line", line: 7 });
    const [dialog] = dialogs.shown;
    expect(dialog?.kind).toBe("undoConflict");
    expect(toasts.shown).toHaveLength(0);
    await undoing.anyway(conflict());
    expect(sent()[1]?.request).toMatchObject({
      target: { kind: "line", line: 7 },
      seen: { name: "theirs" },
    });
  });

  it("says that a revocation is not confirmed yet", async () => {
    answer({
      kind: "unconfirmed",
      problem: { code: "hostUnreachable", message: "Away.", details: null },
    });
    await undoing.run({ kind: "line", line: 1 });
    expect(toasts.shown[0]).toMatchObject({ tone: "bad", detail: "Away." });
  });

  it("says why it was not done", async () => {
    host.fail("undo", { code: "forbidden", message: "Nothing was changed." });
    await undoing.run({ kind: "line", line: 1 });
    expect(toasts.shown[0]).toMatchObject({ tone: "bad", detail: "Nothing was changed." });
    expect(undoing.line).toBeNull();
  });

  it("is sent once, however often the button is pressed", async () => {
    const release = host.hold("undo");
    const first = undoing.run({ kind: "line", line: 1 });
    await undoing.run({ kind: "line", line: 1 });
    expect(undoing.line).toBe(1);
    release();
    await first;
    expect(sent()).toHaveLength(1);
  });

  it("of several asks nothing, and names what somebody changed", async () => {
    answer(conflict());
    const problem = await undoing.quietly({ kind: "line", line: 7 });
    expect(problem?.message).toMatch(/^Somebody changed it since/u);
    expect(dialogs.shown).toHaveLength(0);
  });
});

it("tells only the fields there is something to say about", () => {
  const fields = (part: Partial<UndoConflict>) =>
    differencesOf(conflict({ left: state(), now: state(), back: state(), ...part })).map(
      ({ field }) => field,
    );
  expect(fields({})).toEqual([]);
  expect(fields({ now: state({ description: "x" }), back: state({ description: "x" }) })).toEqual([
    "description",
  ]);
  expect(fields({ back: state({ expires: null, active: false }) })).toEqual(["expires", "active"]);
});

describe("Ctrl+Z", () => {
  const line = (part: Partial<ActivityView>): ActivityView => ({
    id: 5,
    at: NOW - MINUTE,
    connection: "acme",
    connectionName: "acme",
    act: "renew",
    state: "done",
    keyUid: ciProd().uid,
    keyName: "ci-prod",
    ownerName: "Jane Doe",
    detail: "",
    changes: [],
    canUndo: true,
    undoes: null,
    ...part,
  });

  async function press(last: ActivityView | null) {
    const app = new App(() => NOW);
    await app.start();
    host.answer("last_reversible", () => last);
    await app.undoLast();
    return app;
  }

  it("takes back what is fresh at once", async () => {
    await press(line({}));
    await vi.waitFor(() => expect(sent()).toHaveLength(1));
    expect(sent()[0]?.request).toMatchObject({ target: { kind: "line", line: 5 }, seen: null });
  });

  it.each<[Partial<ActivityView>, string]>([
    [{ at: NOW - 16 * MINUTE }, "Undo this?"],
    [{ act: "reactivate" }, "Revoke ci-prod again?"],
  ])("asks first: %j", async (part, title) => {
    const app = await press(line(part));
    expect(sent()).toHaveLength(0);
    const [question] = app.dialogs.shown;
    expect(question).toMatchObject({ kind: "confirm", title });
    if (question?.kind === "confirm") question.onConfirm();
    await vi.waitFor(() => expect(sent()).toHaveLength(1));
  });

  it("says that there is nothing", async () => {
    const app = await press(null);
    expect(app.toasts.shown.at(-1)?.text).toBe("There is nothing to undo here.");
  });

  it("prefers what a toast offers", async () => {
    const app = new App(() => NOW);
    await app.start();
    const run = vi.fn();
    app.toasts.show({ text: "Saved ci-prod.", action: { label: "Undo", run } });
    await app.undoLast();
    expect(run).toHaveBeenCalledOnce();
    expect(host.calls.some(({ name }) => name === "last_reversible")).toBe(false);
  });
});
