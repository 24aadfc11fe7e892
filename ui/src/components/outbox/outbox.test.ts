import { configure, render, screen, waitFor, within } from "@testing-library/svelte";
import userEvent, { type UserEvent } from "@testing-library/user-event";
import axe from "axe-core";
import { describe, expect, it, vi } from "vitest";
import { fakeHost, NOW, type FakeHost, type FakeOptions } from "../../../tests/fake-host";
import AppWindow from "../../App.svelte";
// Read beforehand: the window reads it once its first screen is painted.
import "../../later";
import { App } from "../../lib/app.svelte";
import { standIn, type KeyView } from "../../lib/ipc";

// Whole screens on a busy machine.
configure({ asyncUtilTimeout: 8_000 });
vi.setConfig({ testTimeout: 30_000 });

let host: FakeHost;
let app: App;
let user: UserEvent;

async function open(options: FakeOptions = {}) {
  host = fakeHost(options);
  standIn(host);
  app = new App(() => NOW);
  user = userEvent.setup();
  render(AppWindow, { app });
  await waitFor(() => expect(app.keys?.list && !app.entering).toBeTruthy());
}

const sent = (name: string) => host.calls.filter((each) => each.name === name);
const key = (name: string): KeyView => {
  const found = host.keys.find((each) => each.name === name);
  if (!found) throw new Error(`no key ${name}`);
  return found;
};
const status = () => within(screen.getByRole("status", { name: "Status" }));
const details = () => within(screen.getByRole("region", { name: "Key details" }));
const row = (name: string) => screen.getByRole("row", { name: new RegExp(`Select ${name} `) });
const toast = (text: string | RegExp) =>
  within(screen.getByRole("region", { name: "Notifications" })).findByText(text);

async function violations(of: Element): Promise<string[]> {
  const { violations } = await axe.run(of, { rules: { "color-contrast": { enabled: false } } });
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
}

const offline = {
  code: "hostUnreachable",
  message: "api.spectrocloud.com could not be reached.",
  details: null,
} as const;
const refused = {
  code: "unauthorized",
  message: "Palette no longer takes the sign-in of acme.",
  details: {
    status: 401,
    serverCode: "InvalidCredentials",
    serverMessage: "authentication failed",
    reference: "5b1f0c9e-42",
  },
} as const;

describe("Not confirmed yet", () => {
  async function dialog(options: FakeOptions) {
    await open(options);
    await user.click(await status().findByRole("button", { name: /not confirmed yet|be read/u }));
    return within(await screen.findByRole("dialog", { name: "Not confirmed yet" }));
  }

  it("is not there when everything is confirmed", async () => {
    await open();
    await waitFor(() => expect(sent("outbox")).toHaveLength(1));
    expect(status().queryByRole("button")).toBeNull();
  });

  it("shows each record in words, with the last answer and its reference", async () => {
    const shown = await dialog({
      outbox: [
        { attempts: 3, problem: offline, nextTryAt: NOW + 40_000 },
        { keyUid: fakeHost().keys[1]?.uid, attempts: 7, state: "blocked", problem: refused },
        { keyUid: fakeHost().keys[3]?.uid, attempts: 1, state: "accepted", action: "delete" },
      ],
    });
    status().getByRole("button", { name: "2 revocations and 1 deletion not confirmed yet" });
    const first = within(shown.getByRole("listitem", { name: "ci-prod …0c7471" }));
    first.getByText("acme");
    first.getByText("Jane Doe");
    first.getByText(/^Revocation asked \d\d:\d\d$/u);
    first.getByText("Waiting");
    first.getByText("tried 3 times");
    first.getByText("next try in 40 s");
    first.getByText(offline.message);
    const second = within(shown.getByRole("listitem", { name: /^nightly-backup/u }));
    second.getByText("Needs you");
    second.getByText(refused.message);
    second.getByText("5b1f0c9e-42");
    const third = within(shown.getByRole("listitem", { name: /^edge-registration/u }));
    third.getByText("Accepted");
    third.getByText("not read back yet");
    third.getByText(/^Deletion asked/u);
    expect(await violations(screen.getByRole("dialog"))).toEqual([]);
  });

  it("tries one now, or all of them", async () => {
    const shown = await dialog({ outbox: [{ attempts: 1, problem: offline }] });
    await user.click(shown.getByRole("button", { name: "Try now" }));
    expect(sent("retry_outbox")[0]?.request).toEqual({ record: host.outbox.items[0]?.record });
    await user.click(shown.getByRole("button", { name: "Try all now" }));
    await waitFor(() => expect(sent("retry_outbox")[1]?.request).toEqual({ record: null }));
  });

  it("gives up only after a second question that says what it means", async () => {
    const shown = await dialog({ outbox: [{ attempts: 9, problem: offline }] });
    const give = () => shown.getByRole("button", { name: "Give up…" });
    await user.click(give());
    const ask = async () =>
      within(await screen.findByRole("alertdialog", { name: "Give up revoking ci-prod?" }));
    let question = await ask();
    for (const line of [
      "ci-prod …0c7471",
      "Owner: Jane Doe",
      "Connection: acme",
      "This key may still work.",
    ]) {
      question.getByText(line);
    }
    const cancel = question.getByRole("button", { name: "Cancel" });
    await waitFor(() => expect(document.activeElement).toBe(cancel));
    await user.keyboard("{Enter}");
    await waitFor(() => expect(screen.queryByRole("alertdialog")).toBeNull());
    expect(sent("give_up")).toHaveLength(0);

    await user.click(give());
    question = await ask();
    await user.click(question.getByRole("button", { name: "Give up" }));
    await waitFor(() => expect(sent("give_up")).toHaveLength(1));
    expect(sent("give_up")[0]?.request).toMatchObject({
      records: ["record-1"],
      unsentOnly: false,
    });
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
    await toast("Gave up revoking ci-prod.");
    await waitFor(() => expect(app.keys?.pending(key("ci-prod"))).toBeNull());
  });

  it("stays with the reason when it could not be given up", async () => {
    const shown = await dialog({ outbox: [{}] });
    host.fail("give_up", { code: "storeFailed", message: "The disk is full." });
    await user.click(shown.getByRole("button", { name: "Give up…" }));
    await user.click(await screen.findByRole("button", { name: "Give up" }));
    await shown.findByText("The disk is full.");
  });

  it("follows, and closes itself when the last one is confirmed", async () => {
    const shown = await dialog({ outbox: [{ attempts: 1, problem: offline }] });
    host.changeRecord("record-1", { attempts: 2, state: "accepted", problem: null });
    await shown.findByText("Accepted");
    host.end("record-1");
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
    expect(status().queryByRole("button")).toBeNull();
  });

  it("says what is not recorded, who sends, and what cannot be read", async () => {
    const shown = await dialog({
      outbox: [{ recorded: false }],
      damaged: ["A record of 20 Nov is of a newer version."],
      sentElsewhere: true,
    });
    shown.getByText("Not recorded: keep the app open");
    shown.getByText("Another window of Palette Keys sends these.");
    shown.getByText("A record of 20 Nov is of a newer version.");
    expect(shown.queryByText("on its way")).toBeNull();
    host.end("record-1");
    await waitFor(() => expect(shown.queryByRole("button", { name: "Try now" })).toBeNull());
    shown.getByText("A record of 20 Nov is of a newer version.");
  });

  it("leads to the sign-in where that is what is missing", async () => {
    const shown = await dialog({
      state: "needsSignIn",
      outbox: [{ state: "blocked", problem: refused }],
    });
    await user.click(shown.getByRole("button", { name: "Sign in" }));
    expect(app.route).toEqual({ kind: "connect", signInTo: "acme" });
  });
});

describe("in the list and the details", () => {
  it("shows a revocation asked elsewhere until it is confirmed, then says so with an undo", async () => {
    await open();
    const target = key("nightly-backup");
    const record = host.record({ keyUid: target.uid, attempts: 1, problem: offline }).record;
    await within(row("nightly-backup")).findByText("Revoking…");
    await user.click(row("nightly-backup"));
    await details().findByText("Not confirmed yet");
    details().getByText(/^You revoked this key at \d\d:\d\d, but/u);
    details().getByText(offline.message);
    await user.click(details().getByRole("button", { name: "Try now" }));
    expect(sent("retry_outbox")[0]?.request).toEqual({ record });
    details().getByRole("button", { name: "Re-activate" });
    expect(details().queryByRole("button", { name: "Revoke" })).toBeNull();
    expect(await violations(screen.getByRole("main"))).toEqual([]);

    const at = new Date(2026, 10, 23, 14, 2, 31).getTime();
    host.end(record, { kind: "confirmed", refusedAt: at });
    await toast("Revoked nightly-backup.");
    await toast("Tried at 14:02:31: Palette no longer accepts it.");
    within(row("nightly-backup")).getByText("Revoked");
    expect(details().queryByText("Not confirmed yet")).toBeNull();
    await user.click(screen.getByRole("button", { name: "Undo" }));
    await waitFor(() => expect(sent("undo")).toHaveLength(1));
    expect(sent("undo")[0]?.request).toMatchObject({
      target: { kind: "act", uid: target.uid, act: "revoke" },
      seen: null,
    });
  });

  it("says several that end together in one word", async () => {
    await open();
    const ends = ["ci-prod", "argo-prod", "dev-jane"].map(
      (name) => host.record({ keyUid: key(name).uid }).record,
    );
    for (const record of ends) host.end(record);
    await toast("Revoked 3 keys.");
    await toast("ci-prod, argo-prod, dev-jane.");
  });

  it("re-activates in a connection that is not open", async () => {
    await open();
    const record = host.record({ connection: "lab", connectionName: "lab" }).record;
    expect(app.keys?.pending(key("ci-prod")), "another tenant's key").toBeNull();
    host.end(record);
    await toast("In lab.");
    host.answer("undo", () => ({
      kind: "undone",
      act: "revoke",
      connection: "lab",
      key: key("ci-prod"),
      sent: true,
    }));
    await user.click(screen.getByRole("button", { name: "Undo" }));
    await waitFor(() =>
      expect(sent("undo")[0]?.request).toMatchObject({ target: { connection: "lab" } }),
    );
    await toast("Re-activated ci-prod.");
  });

  it("tells a deletion from a revocation", async () => {
    await open({ outbox: [{ action: "delete", attempts: 1, problem: offline }] });
    await within(row("ci-prod")).findByText("Deleting…");
    await details().findByText(/^You deleted this key/u);
    expect(details().queryByRole("button", { name: "Delete" })).toBeNull();
    host.end("record-1");
    await waitFor(() => expect(screen.queryByRole("row", { name: /Select ci-prod / })).toBeNull());
    await toast("Deleted ci-prod.");
    expect(screen.queryByRole("button", { name: "Undo" })).toBeNull();
  });

  it("says in a banner what needs a person and what is not recorded", async () => {
    await open({
      outbox: [
        { state: "blocked", problem: refused },
        { keyUid: fakeHost().keys[1]?.uid, recorded: false },
      ],
    });
    await screen.findByText("The revocation of ci-prod needs you.");
    screen.getByText("Until Palette confirms, the key may still work.");
    // What the server said is told once, where the record is.
    await user.click(row("ci-prod"));
    expect(await screen.findAllByText(refused.message)).toHaveLength(1);
    screen.getByText("1 revocation not recorded: keep the app open.");
    const [show] = screen.getAllByRole("button", { name: "Show" });
    if (show) await user.click(show);
    await screen.findByRole("dialog", { name: "Not confirmed yet" });
  });

  it("says nothing in a banner about what only takes its time", async () => {
    await open({ outbox: [{ attempts: 3, problem: offline }] });
    await status().findByRole("button", { name: "1 revocation not confirmed yet" });
    expect(screen.queryByRole("alert")).toBeNull();
  });

  it("takes the unconfirmed word away once it is confirmed", async () => {
    await open();
    host.answer("revoke_key", ({ uid }) => {
      host.record({ keyUid: uid, attempts: 1, problem: offline });
      return { kind: "unconfirmed", problem: offline };
    });
    await user.click(details().getByRole("button", { name: "Revoke" }));
    await toast("Could not confirm the revocation of ci-prod; still trying.");
    host.end("record-1");
    await toast("Revoked ci-prod.");
    expect(screen.queryByText(/still trying/u)).toBeNull();
  });

  it("counts a bulk act off and can be stopped", async () => {
    await open({ sends: null });
    await user.click(screen.getByRole("checkbox", { name: "Select nightly-backup" }));
    await user.click(screen.getByRole("checkbox", { name: "Select argo-prod" }));
    const bar = within(screen.getByRole("toolbar", { name: "Selection" }));
    await user.click(bar.getByRole("button", { name: "Revoke" }));
    await user.click(await screen.findByRole("button", { name: "Revoke 2 keys" }));
    await screen.findByText("Revoking 1 of 2");
    await waitFor(() => expect(host.outbox.items).toHaveLength(2));
    host.end("record-1");
    await screen.findByText("Revoking 2 of 2");
    expect(screen.getByRole("progressbar", { name: "Revoking" }).ariaValueNow ?? "1").toBe("1");
    await user.click(screen.getByRole("button", { name: "Stop" }));
    await toast("Revoked 1 of 2 keys.");
    await toast("Stopped: 1 key left as it was.");
    expect(host.outbox.items).toEqual([]);
  });
});

describe("Quit Palette Keys?", () => {
  async function ask(options: FakeOptions) {
    await open(options);
    await waitFor(() => expect(sent("background")).toHaveLength(1));
    host.emit("quit-asked", null);
    host.emit("quit-asked", null);
    return within(await screen.findByRole("alertdialog", { name: "Quit Palette Keys?" }));
  }

  it("names what waits, with the safe way focused", async () => {
    const question = await ask({ outbox: [{}, { keyUid: fakeHost().keys[1]?.uid }] });
    question.getByText(/^2 revocations are not confirmed yet\. They are written down/u);
    question.getByText("ci-prod");
    question.getByText("nightly-backup");
    const keep = question.getByRole("button", { name: "Keep running" });
    await waitFor(() => expect(document.activeElement).toBe(keep));
    expect(await violations(screen.getByRole("alertdialog"))).toEqual([]);
    await user.keyboard("{Enter}");
    await waitFor(() => expect(screen.queryByRole("alertdialog")).toBeNull());
    expect(sent("quit")).toHaveLength(0);
  });

  it("quits when told so, knowing what would be lost", async () => {
    const question = await ask({ outbox: [{ recorded: false }] });
    question.getByText(/is not written down and would be lost/u);
    question.getByText("Not written down");
    await user.click(question.getByRole("button", { name: "Quit" }));
    await waitFor(() => expect(sent("quit")[0]?.request).toEqual({ anyway: true }));
  });
});

describe("where the tray leads", () => {
  it("the search box of another connection", async () => {
    await open();
    app.go({ kind: "settings" });
    host.emit("go", { kind: "search", connection: "lab" });
    await waitFor(() => expect(document.activeElement?.id).toBe("search-keys"));
    expect([app.activeId, app.route.kind]).toEqual(["lab", "keys"]);
  });

  it("a key, even one a search hides", async () => {
    await open();
    if (app.keys) app.keys.search = "argo";
    host.emit("go", { kind: "key", connection: "acme", uid: key("dev-jane").uid });
    await waitFor(() => expect(app.keys?.currentKey?.name).toBe("dev-jane"));
    expect(app.keys?.shown).toHaveLength(38);
    host.emit("go", { kind: "key", connection: "lab", uid: key("atlantis").uid });
    await waitFor(() => expect(app.keys?.currentKey?.name).toBe("atlantis"));
    expect(app.activeId).toBe("lab");
  });

  it("says so when the key or the connection is gone", async () => {
    await open();
    host.emit("go", { kind: "key", connection: "acme", uid: "nobody" });
    await toast("This key no longer exists.");
    host.emit("go", { kind: "search", connection: "nobody" });
    await toast("That connection is gone.");
  });

  it("a new key, a renewal, the outbox, the settings", async () => {
    await open({ outbox: [{}] });
    host.emit("go", { kind: "newKey", connection: null });
    await screen.findByRole("dialog", { name: "New API key" });
    app.dialogs.close(app.dialogs.shown[0]?.id ?? 0);
    host.emit("go", { kind: "renew", connection: "acme", uid: key("atlantis").uid });
    await screen.findByRole("dialog", { name: "Renew API key" });
    expect(app.keys?.currentKey?.name).toBe("atlantis");
    app.dialogs.close(app.dialogs.shown[0]?.id ?? 0);
    host.emit("go", { kind: "outbox" });
    await screen.findByRole("dialog", { name: "Not confirmed yet" });
    host.end("record-1");
    await waitFor(() => expect(app.outbox.empty).toBe(true));
    host.emit("go", { kind: "outbox" });
    await toast("Everything is confirmed.");
    host.emit("go", { kind: "settings" });
    await screen.findByRole("heading", { name: "Settings", level: 1 });
  });

  it("hears the shell before it asks where it stands, and waits until it is ready", async () => {
    host = fakeHost();
    standIn(host);
    let asked = false;
    host.answer("start", async () => {
      asked = true;
      host.emit("go", { kind: "settings" });
      return (await fakeHost().call("start", { begins: true })) as never;
    });
    app = new App(() => NOW);
    render(AppWindow, { app });
    await screen.findByRole("heading", { name: "Settings", level: 1 });
    expect(asked).toBe(true);
  });
});
