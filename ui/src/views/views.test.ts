import { configure, render, screen, waitFor, within } from "@testing-library/svelte";
import userEvent, { type UserEvent } from "@testing-library/user-event";
import axe from "axe-core";
import { describe, expect, it, vi } from "vitest";
import { fakeHost, NOW, type FakeHost } from "../../tests/fake-host";
import { fakeReview } from "../../tests/fake-review";
import AppWindow from "../App.svelte";
// Read beforehand: the window reads it once its first screen is painted.
import "../later";
import { App, type Route } from "../lib/app.svelte";
import { standIn, type AuditView, type ListRequest } from "../lib/ipc";

// Whole screens on a busy machine.
configure({ asyncUtilTimeout: 8_000 });
vi.setConfig({ testTimeout: 30_000 });

let host: FakeHost;
let app: App;
let user: UserEvent;

/** An app before its start, and what stands behind it. */
function stand(options: Parameters<typeof fakeHost>[0] = {}) {
  host = fakeHost(options);
  standIn(host);
  app = new App(() => NOW);
}

async function open(route: Route | null, options: Parameters<typeof fakeHost>[0] = {}) {
  stand(options);
  user = userEvent.setup();
  render(AppWindow, { app });
  await waitFor(() => expect(app.phase).toBe("ready"));
  if (route) app.go(route);
}

const sent = (name: string) => host.calls.filter((each) => each.name === name);

/** Contrast needs a real browser; the screenshots look at it. */
async function violations(): Promise<string[]> {
  const { violations } = await axe.run(screen.getByRole("main"), {
    rules: { "color-contrast": { enabled: false } },
  });
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
}

describe("a locked app", () => {
  it("shows nothing of the keys until it is unlocked", async () => {
    stand({ locked: true });
    user = userEvent.setup();
    render(AppWindow, { app });
    const button = await screen.findByRole("button", { name: "Unlock" });
    expect(screen.getByRole("main", { name: "Palette Keys is locked" }).contains(button)).toBe(
      true,
    );
    await waitFor(() => expect(document.activeElement).toBe(button));
    await screen.findByText(/^Unlocking asks for nothing on this desktop/);
    expect(screen.queryByText("ci-prod")).toBeNull();
    expect(await violations()).toEqual([]);
    expect(host.calls.map(({ name }) => name)).not.toContain("list_keys");

    host.fail("unlock", { code: "notRecognised", message: "The question was closed." });
    await user.click(button);
    await screen.findByText("The question was closed.");
    host.fail("unlock", null);
    await user.click(button);
    await screen.findByRole("row", { name: /^Select ci-prod / });
    await waitFor(() => expect(sent("hears")).toHaveLength(1));
    expect(screen.queryByRole("button", { name: "Unlock" })).toBeNull();
  });

  it("is locked from the settings, which say what unlocking asks for", async () => {
    stand();
    host.answer("lock_state", () => ({ locked: false, asks: true }));
    user = userEvent.setup();
    render(AppWindow, { app });
    await waitFor(() => expect(app.phase).toBe("ready"));
    app.go({ kind: "settings" });
    const field = await screen.findByRole("textbox", { name: "Lock after idle" });
    await screen.findByText(/Unlocking asks for your password, through your desktop\.$/);
    await user.type(field, "10");
    await user.tab();
    await waitFor(() => expect(app.settings.lockAfterMinutes).toBe(10));
    await user.click(screen.getByRole("button", { name: "Lock now" }));
    expect(host.locked).toBe(true);
  });
});

describe("the first screen", () => {
  it("needs one answer, and hears of what came meanwhile", async () => {
    stand();
    const hear = host.hold("hears");
    render(AppWindow, { app });
    await screen.findByRole("row", { name: /^Select ci-prod / });
    await waitFor(() => expect(sent("hears")).toHaveLength(1));
    expect(sent("start").map(({ request }) => request)).toEqual([{ begins: true }]);
    expect(sent("list_keys").filter(({ request }) => !(request as ListRequest).refresh)).toEqual(
      [],
    );
    host.connections = host.connections.map((each) => ({ ...each, name: "renamed" }));
    hear();
    await screen.findByRole("button", { name: "Connection: renamed" });
  });

  it("asks for nothing more before it is painted", async () => {
    stand();
    app.willPaint();
    await app.start();
    expect(app.keys?.list?.keys.length).toBeGreaterThan(0);
    expect(host.calls.map(({ name }) => name)).toEqual(["start", "key_details"]);
    app.paintedSoon();
    await waitFor(() => expect(sent("select_connection")).toHaveLength(1));
    await waitFor(() => expect(app.background).not.toBeNull());
  });

  it("waits a second and no longer for a frame that never comes", async () => {
    stand();
    app.willPaint();
    await app.start();
    await waitFor(() => expect(sent("select_connection")).toHaveLength(1), { timeout: 3_000 });
    expect(app.painted).toBe(false);
  });

  it("does not call a server offline that was not asked yet", async () => {
    stand({ state: "offline" });
    const select = host.hold("select_connection");
    render(AppWindow, { app });
    await screen.findByRole("row", { name: /^Select ci-prod / });
    await waitFor(() => expect(sent("select_connection")).toHaveLength(1));
    const status = within(screen.getByRole("status", { name: "Status" }));
    status.getByText(/^Connecting, as of /);
    expect(screen.queryByText("Offline.")).toBeNull();
    select();
    await screen.findByText("Offline.");
    status.getByText(/^Offline, as of /);
  });
});

describe("Connect", () => {
  it("has the names of the contract", async () => {
    await open(null, { first: true });
    await screen.findByRole("heading", { level: 1, name: "Connect to Palette" });
    const address = screen.getByRole<HTMLInputElement>("textbox", { name: "Palette address" });
    expect(address.value).toBe("api.spectrocloud.com");
    const method = within(screen.getByRole("radiogroup", { name: "Sign in with" }));
    expect(screen.getByLabelText("API key", { selector: "[type=password]" })).toBeTruthy();
    await user.click(method.getByRole("radio", { name: "Email and password" }));
    screen.getByRole("textbox", { name: "Email" });
    screen.getByRole("textbox", { name: "Organization" });
    expect(screen.getByLabelText("Password").getAttribute("type")).toBe("password");
    const options = screen.getByRole("button", { name: "Connection options" });
    expect(options.getAttribute("aria-expanded")).toBe("false");
    await user.click(options);
    screen.getByRole("textbox", { name: "Connection name" });
    const colours = within(screen.getByRole("radiogroup", { name: "Colour" }));
    expect(colours.getAllByRole("radio")).toHaveLength(7);
    colours.getByRole("radio", { name: "Teal" });
    expect(screen.getByLabelText("CA certificate").getAttribute("type")).toBe("file");
    await user.selectOptions(screen.getByRole("combobox", { name: "Proxy" }), "Custom");
    screen.getByRole("textbox", { name: "Proxy address" });
    screen.getByRole("button", { name: "Connect" });
    screen.getByRole("button", { name: "Try the demo tenant" });
    expect(await violations()).toEqual([]);
  });

  it("connects with Enter, goes to Keys and says who you are", async () => {
    await open(null, { first: true });
    const key = await screen.findByLabelText("API key", { selector: "[type=password]" });
    await user.type(key, "abc{Enter}");
    await screen.findByRole("heading", { level: 1, name: "API keys" });
    await screen.findByText(/You are Jane Doe .*You see every key of acme/u);
    expect(sent("connect")).toHaveLength(1);
  });

  it("puts the focus where something is missing", async () => {
    await open(null, { first: true });
    await user.click(await screen.findByRole("button", { name: "Connect" }));
    const key = screen.getByLabelText("API key", { selector: "[type=password]" });
    await waitFor(() => expect(document.activeElement).toBe(key));
    expect(key.getAttribute("aria-invalid")).toBe("true");
  });

  it("opens the demo tenant in one press, as admin or as a plain user", async () => {
    await open(null, { first: true });
    await user.click(await screen.findByRole("button", { name: "Try the demo tenant" }));
    await screen.findByRole("heading", { level: 1, name: "API keys" });
    expect(sent("open_demo")[0]?.request).toMatchObject({ person: "admin" });
    app.go({ kind: "connect", signInTo: null });
    await user.click(await screen.findByRole("button", { name: "look as a plain user" }));
    await waitFor(() => expect(sent("open_demo")).toHaveLength(2));
    expect(sent("open_demo")[1]?.request).toMatchObject({ person: "user" });
  });

  it("offers both ways on when the keychain is locked", async () => {
    await open(null, { first: true });
    host.fail("connect", { code: "keychainLocked", message: "Nothing was saved." });
    await user.type(
      await screen.findByLabelText("API key", { selector: "[type=password]" }),
      "abc{Enter}",
    );
    expect((await screen.findByRole("alert")).textContent).toContain("The keychain is locked");
    screen.getByRole("button", { name: "Try again" });
    host.fail("connect", null);
    await user.click(screen.getByRole("button", { name: "Keep in memory until quit" }));
    await screen.findByRole("heading", { level: 1, name: "API keys" });
    expect(sent("connect").at(-1)?.request).toMatchObject({ inMemoryOnly: true });
  });

  it("signs in again to a connection, without asking for its address", async () => {
    await open({ kind: "connect", signInTo: "acme" });
    await screen.findByRole("heading", { level: 1, name: "Sign in to acme" });
    expect(screen.queryByRole("textbox", { name: "Palette address" })).toBeNull();
    await user.type(
      screen.getByLabelText("API key", { selector: "[type=password]" }),
      "abc{Enter}",
    );
    await waitFor(() => expect(sent("sign_in")).toHaveLength(1));
  });
});

describe("Activity", () => {
  it("shows what was done, by day, with its outcome in a word", async () => {
    await open({ kind: "activity" });
    await screen.findByRole("heading", { level: 1, name: "Activity" });
    const lines = await screen.findAllByRole("listitem");
    expect(lines.map((line) => line.textContent)).toContainEqual(
      expect.stringMatching(/Revoked ci-prod.*Done/su),
    );
    expect(await violations()).toEqual([]);
  });

  it("undoes a confirmed revocation", async () => {
    await open({ kind: "activity" });
    const revoked = host.keys.find(({ status }) => status === "revoked");
    host.answer("list_activity", () => [
      {
        id: 1,
        at: NOW,
        connection: "acme",
        connectionName: "acme",
        act: "revoke",
        state: "done",
        keyUid: revoked?.uid ?? "",
        keyName: revoked?.name ?? "",
        ownerName: "Jane Doe",
        detail: "",
        changes: [],
        canUndo: true,
        undoes: null,
      },
    ]);
    host.emit("activity-changed", { connection: "acme" });
    await user.click(await screen.findByRole("button", { name: /^Undo/u }));
    await waitFor(() => expect(sent("undo")).toHaveLength(1));
  });

  it("names the line's connection in its question, not the open one", async () => {
    await open({ kind: "activity" });
    const key = host.keys.find(({ mine, status }) => mine && status === "active");
    host.answer("list_activity", () => [
      {
        id: 1,
        at: NOW,
        connection: "lab",
        connectionName: "lab",
        act: "reactivate",
        state: "done",
        keyUid: key?.uid ?? "",
        keyName: "ci-lab",
        ownerName: "Jane Doe",
        detail: "",
        changes: [],
        canUndo: true,
        undoes: null,
      },
    ]);
    host.emit("activity-changed", { connection: "acme" });
    await user.click(await screen.findByRole("button", { name: /^Undo/u }));
    const question = within(
      await screen.findByRole("alertdialog", { name: "Revoke ci-lab again?" }),
    );
    expect(question.getAllByText(/^Connection: /u).map((line) => line.textContent)).toEqual([
      "Connection: lab",
    ]);
  });

  it("takes a running roll back, after a question", async () => {
    await open({ kind: "activity" });
    await waitFor(() => expect(app.keys?.list).toBeTruthy());
    const old = app.keys?.list?.keys.find(({ mine, status }) => mine && status === "active");
    if (!old || !app.keys) throw new Error("no key");
    app.keys.askRoll(old);
    const form = within(await screen.findByRole("dialog", { name: "Roll API key" }));
    await user.click(form.getByRole("button", { name: "Roll" }));
    await user.click(await form.findByRole("button", { name: "Done" }));
    const roll = host.rolls[0];
    if (!roll) throw new Error("no roll");
    host.answer("list_activity", () => [
      {
        id: 1,
        at: NOW,
        connection: "acme",
        connectionName: "acme",
        act: "roll",
        state: "done",
        keyUid: roll.oldUid,
        keyName: roll.oldName,
        ownerName: "Jane Doe",
        detail: "",
        changes: [],
        canUndo: false,
        undoes: null,
      },
    ]);
    host.emit("activity-changed", { connection: "acme" });
    await screen.findByRole("button", { name: `Cancel roll of ${roll.oldName}` });
    // One that was refused is gone on with, without a second question.
    const stuck = { ...roll, step: "cancelling", mayCancel: false, mayContinue: true } as const;
    host.rolls.splice(0, 1, stuck);
    await app.keys.reload();
    const again = () =>
      screen.findByRole("button", { name: `Cancel again: the roll of ${roll.oldName}` });
    host.fail("act_on_roll", { code: "forbidden" });
    await user.click(await again());
    await screen.findByText("Palette does not allow this.");
    host.fail("act_on_roll", null);
    await user.click(await again());
    await waitFor(() => expect(screen.queryByText("Palette does not allow this.")).toBeNull());
    expect(sent("act_on_roll").at(-1)?.request).toMatchObject({ act: { kind: "continue" } });
    host.rolls.splice(0, 1, roll);
    await app.keys.reload();
    await user.click(await screen.findByRole("button", { name: `Cancel roll of ${roll.oldName}` }));
    const name = `Cancel the roll of ${roll.oldName}?`;
    const question = within(await screen.findByRole("alertdialog", { name }));
    await user.click(question.getByRole("button", { name: "Cancel roll" }));
    await waitFor(() =>
      expect(sent("act_on_roll").at(-1)?.request).toMatchObject({ act: { kind: "cancel" } }),
    );
    await waitFor(() =>
      expect(screen.queryByRole("button", { name: /^Cancel roll of/ })).toBeNull(),
    );
  });

  it("is filtered, says when nothing is left, and gives it back", async () => {
    await open({ kind: "activity" });
    await screen.findAllByRole("listitem");
    await user.type(screen.getByRole("searchbox", { name: "Search activity" }), "nothing-like-it");
    await screen.findByText("Nothing matches");
    expect(await violations()).toEqual([]);
    await user.click(screen.getByRole("button", { name: "Clear filters" }));
    expect((await screen.findAllByRole("listitem")).length).toBeGreaterThan(0);
    const field = screen.getByRole<HTMLInputElement>("searchbox", { name: "Search activity" });
    await user.type(field, "nothing-like-it");
    await screen.findByText("Nothing matches");
    await user.click(screen.getByRole("button", { name: "Clear search" }));
    expect([field.value, document.activeElement]).toEqual(["", field]);
    expect((await screen.findAllByRole("listitem")).length).toBeGreaterThan(0);
    await user.selectOptions(screen.getByRole("combobox", { name: "Kind" }), "Created");
    await waitFor(() => expect(screen.getAllByRole("listitem")).toHaveLength(1));
  });

  it("shows the server's log beside, only when asked", async () => {
    await open({ kind: "activity" });
    await screen.findAllByRole("listitem");
    expect(sent("list_audits")).toHaveLength(0);
    const from = within(screen.getByRole("radiogroup", { name: "From" }));
    await user.click(from.getByRole("radio", { name: "Server" }));
    await screen.findByText("API key 'ci-prod' updated");
    expect(screen.queryByRole("combobox", { name: "Outcome" })).toBeNull();
    expect(await violations()).toEqual([]);
    await user.click(from.getByRole("radio", { name: "Both" }));
    await screen.findByText(/In the server's log at .*activated, by Jane Doe/u);
    expect(await violations()).toEqual([]);
  });

  it("offers what is older where nothing that was read matches", async () => {
    await open({ kind: "activity" });
    await screen.findAllByRole("listitem");
    const entries = Array.from({ length: 3 }, (_, index): AuditView => ({
      uid: `audit-${index}`,
      at: NOW - index,
      localAt: NOW - index,
      keyUid: "66e844c44bab2337f20c7471",
      keyName: "ci-prod",
      actor: "Jane Doe",
      action: "update",
      message: "API key 'ci-prod' updated",
      note: "",
    }));
    const listed = { kind: "listed" as const, entries, skipped: 0 };
    host.answer("list_audits", () => ({ ...listed, next: "older" }));
    await user.click(screen.getByRole("radio", { name: "Server" }));
    await screen.findAllByText("API key 'ci-prod' updated");
    await user.type(screen.getByRole("searchbox", { name: "Search activity" }), "nothing-like-it");
    await screen.findByText("No match among the entries read so far");
    expect(screen.getAllByRole("button", { name: "Clear filters" })).toHaveLength(1);
    const before = sent("list_audits").length;
    await user.click(screen.getByRole("button", { name: "Load older" }));
    await waitFor(() => expect(sent("list_audits").length).toBeGreaterThan(before));
  });

  it("says in words that the log may not be read", async () => {
    await open({ kind: "activity" }, { person: "user" });
    await screen.findAllByRole("listitem");
    const from = within(screen.getByRole("radiogroup", { name: "From" }));
    await user.click(from.getByRole("radio", { name: "Server" }));
    await screen.findByText("Not yours to read");
    screen.getByText(/permission audit\.list/u);
    await user.click(from.getByRole("radio", { name: "Both" }));
    await screen.findByText(/What this app did is shown all the same/u);
    expect((await screen.findAllByRole("listitem")).length).toBeGreaterThan(0);
  });

  it("is not blank when nothing was done", async () => {
    await open(null);
    host.answer("list_activity", () => []);
    app.go({ kind: "activity" });
    await screen.findByText("Nothing done yet");
  });
});

describe("Review", () => {
  /** A review with something for each of its dialogs. */
  async function review() {
    await open(null);
    host.answer("review", () => {
      const view = fakeReview(host.keys, NOW, false, [
        { rule: "neverEnds", uid: host.keys[9]?.uid ?? "", reason: "Known", until: NOW + 1 },
      ]);
      const pileUps = [{ date: view.timeline.days.at(-1)?.date ?? "", words: "6 end on one day" }];
      return { ...view, timeline: { ...view.timeline, pileUps } };
    });
    await app.review?.load();
    app.go({ kind: "review" });
    await screen.findByRole("heading", { level: 1, name: "Review" });
    await screen.findAllByRole("button", { name: "Keep…" });
  }

  const opening: [string, string | RegExp][] = [
    ["Keep as it is?", "Keep…"],
    ["Spread over two weeks", "spread them"],
    ["Accepted until a date", /^Accepted until a date/u],
    ["Rules of the review", "Rules"],
  ];

  it.each(opening)("lets nothing happen behind “%s”, nor lie over it", async (name, button) => {
    await review();
    app.toasts.show({ text: "Something was said." });
    const opener = screen.getAllByRole("button", { name: button })[0] as HTMLElement;
    await user.click(opener);
    const dialog = await screen.findByRole("dialog", { name });
    expect(app.dialogs.any).toBe(true);
    const toasts = screen.getByRole("region", { name: "Notifications", hidden: true });
    expect(toasts.className).toContain("left");
    const before = host.calls.length;
    const close = within(dialog).getByRole("button", { name: /^(Close|Cancel)$/u });
    close.focus();
    await user.keyboard("{Control>}2kznf,{/Control}/?");
    expect(screen.getAllByRole("dialog", { hidden: true })).toEqual([dialog]);
    expect([app.activeId, app.route.kind, app.paletteOpen]).toEqual(["acme", "review", false]);
    expect(host.calls.length).toBe(before);
    await user.keyboard("{Escape}");
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
    expect([app.dialogs.any, app.route.kind]).toEqual([false, "review"]);
    await waitFor(() => expect(document.activeElement).toBe(opener));
  });

  it.each(opening)("closes “%s” when another connection is opened", async (name, button) => {
    await review();
    await user.click(screen.getAllByRole("button", { name: button })[0] as HTMLElement);
    await screen.findByRole("dialog", { name });
    host.emit("go", { kind: "connection", connection: "lab" });
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
    expect([app.activeId, app.dialogs.any]).toEqual(["lab", false]);
  });

  it("keeps a finding, and goes on at its heading", async () => {
    await review();
    await user.click(screen.getAllByRole("button", { name: "Keep…" })[0] as HTMLElement);
    const dialog = within(await screen.findByRole("dialog", { name: "Keep as it is?" }));
    await user.type(dialog.getByRole("textbox", { name: "Reason" }), "Known{Enter}");
    await screen.findByText("Kept. It comes back by itself.");
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
    const heading = screen.getByRole("heading", { level: 1, name: "Review" });
    await waitFor(() => expect(document.activeElement).toBe(heading));
    expect(sent("accept_finding")[0]?.request).toMatchObject({ reason: "Known" });
  });

  it("saves the severity of a rule and reviews again", async () => {
    await review();
    await user.click(screen.getByRole("button", { name: "Rules" }));
    const dialog = within(await screen.findByRole("dialog", { name: "Rules of the review" }));
    const reads = sent("review").length;
    const choice = dialog.getByRole("combobox", { name: "Severity of Owner gone" });
    await user.selectOptions(choice, "Clean up");
    await waitFor(() => expect(host.settings.severities).toEqual({ ownerGone: "cleanUp" }));
    await waitFor(() => expect(sent("review")).toHaveLength(reads + 1));
  });
});

describe("Settings", () => {
  it("has its sections and saves a change at once", async () => {
    await open({ kind: "settings" });
    await screen.findByRole("heading", { level: 1, name: "Settings" });
    for (const name of [
      "Appearance",
      "Keys",
      "Clipboard",
      "Background",
      "Connections",
      "Diagnostics",
      "About",
    ]) {
      screen.getByRole("region", { name });
    }
    await user.click(screen.getByRole("radio", { name: "Dark" }));
    await waitFor(() => expect(document.documentElement.dataset.theme).toBe("dark"));
    const days = screen.getByRole("textbox", { name: "Default expiration" });
    await user.clear(days);
    await user.type(days, "45{Tab}");
    await waitFor(() =>
      expect(sent("save_settings").at(-1)?.request).toMatchObject({
        appearance: "dark",
        defaultExpirationDays: 45,
      }),
    );
    expect(await violations()).toEqual([]);
  });

  it("tries the way to the server, when it is opened and when asked", async () => {
    await open({ kind: "settings" });
    const line = await screen.findByRole("status", { name: "Network" });
    await within(line).findByText("api.spectrocloud.com answers");
    within(line).getByText("Answered in 84 ms.");
    const message = "api.spectrocloud.com could not be found. Check the network.";
    host.fail("check_network", { code: "hostUnknown", message });
    await user.click(within(line).getByRole("button", { name: "Check again" }));
    await within(line).findByText("api.spectrocloud.com does not answer");
    within(line).getByText(message);
    host.fail("check_network", null);
    await user.click(within(line).getByRole("button", { name: "Check again" }));
    await within(line).findByText("api.spectrocloud.com answers");
    expect(sent("check_network")).toHaveLength(3);
  });

  it("follows the policy file and the longest life, whoever reads them", async () => {
    await open({ kind: "settings" });
    await waitFor(() => expect(app.policy?.namePattern).toBeNull());
    // Core reads the file with every list.
    host.policy = { namePattern: "^team-", descriptionRequired: true };
    await app.keys?.refresh();
    await waitFor(() => expect(app.policy?.namePattern).toBe("^team-"));
    expect(app.policy?.descriptionRequired).toBe(true);
    // Where the policy says nothing of it, the setting counts at once.
    host.policy = { longestLifeDays: 30 };
    const longest = await screen.findByRole("textbox", { name: "Longest allowed life" });
    await user.type(longest, "30");
    await user.tab();
    await waitFor(() => expect(app.keySettings.longestLifeDays).toBe(30));
  });

  it("asks again how the keychain stands when a person comes back", async () => {
    await open({ kind: "settings" });
    await waitFor(() => expect(sent("hears")).toHaveLength(1));
    host.keychain = { state: "locked", name: "GNOME Keyring", advice: "Unlock it." };
    window.dispatchEvent(new Event("focus"));
    await waitFor(() => expect(app.keychain.state).toBe("locked"));
    host.keychain = { state: "ready", name: "GNOME Keyring", advice: null };
    app.askCreate();
    await waitFor(() => expect(app.keychain.state).toBe("ready"));
  });

  it("says in place what is not allowed", async () => {
    await open({ kind: "settings" });
    const seconds = await screen.findByRole("textbox", { name: "Clear a copied key after" });
    await user.clear(seconds);
    await user.type(seconds, "5{Tab}");
    await screen.findByText("Type a whole number of seconds from 10 to 300.");
    expect(seconds.getAttribute("aria-invalid")).toBe("true");
    expect(sent("save_settings")).toHaveLength(0);
  });

  it("has its section about the background", async () => {
    await open({ kind: "settings" });
    const section = within(await screen.findByRole("region", { name: "Background" }));
    for (const [name, setting, was] of [
      ["Start at login", "startAtLogin", false],
      ["Close to tray", "closeToTray", true],
      ["Weekly digest", "weeklyDigest", true],
    ] as const) {
      const box = section.getByRole<HTMLInputElement>("checkbox", { name });
      expect(box.checked).toBe(was);
      await user.click(box);
      await waitFor(() => expect(host.settings[setting]).toBe(!was));
      expect(box.checked).toBe(!was);
    }
    const days = section.getByRole("textbox", { name: "Days before the end" });
    await user.clear(days);
    await user.type(days, "60, 400{Tab}");
    await section.findByText(/from 1 to 365/u);
    await user.clear(days);
    await user.type(days, "7 60{Tab}");
    await waitFor(() => expect(host.settings.noticeDays).toEqual([60, 7]));

    const pause = within(section.getByRole("group", { name: "Pause notices" }));
    await user.click(pause.getByRole("button", { name: "1 hour" }));
    await pause.findByText(/^Paused until \d\d:\d\d$/u);
    expect(host.background.pausedUntil).toBe(NOW + 3_600_000);
    await user.click(pause.getByRole("button", { name: "Resume" }));
    await pause.findByText("Not paused");
    await user.click(pause.getByRole("button", { name: "Until tomorrow" }));
    const until = new Date(host.background.pausedUntil ?? 0);
    expect([until.getDate() - new Date(NOW).getDate(), until.getHours()]).toEqual([1, 8]);

    await user.click(section.getByRole("checkbox", { name: "Notices" }));
    await waitFor(() => expect(section.queryByRole("group")).toBeNull());
    expect(await violations()).toEqual([]);
  });

  it("goes back to what is saved when a change is refused", async () => {
    await open({ kind: "settings" });
    const box = await screen.findByRole<HTMLInputElement>("checkbox", { name: "Start at login" });
    host.fail("save_settings", { code: "storeFailed", message: "Disk full." });
    await user.click(box);
    await screen.findByText("Disk full.");
    await waitFor(() => expect(box.checked).toBe(false));
  });

  it("says what the desktop lacks, and follows it", async () => {
    await open(
      { kind: "settings" },
      { background: { trayHost: false, noticeHost: null, loginProblem: "No such folder here." } },
    );
    await screen.findByText("No tray here: closing quits.");
    screen.getByText("The desktop shows no tray");
    screen.getByText("No notification service");
    screen.getByText("No such folder here.");
    const login = screen.getByRole<HTMLInputElement>("checkbox", { name: "Start at login" });
    expect(login.disabled).toBe(true);
    // Nobody told of these: it is asked again.
    const again = (name: string) =>
      within(screen.getByRole("status", { name })).getByRole("button", { name: "Check again" });
    host.background = { ...host.background, noticeHost: "dunst" };
    await user.click(again("Notices"));
    await screen.findByText("dunst shows notices");
    await user.click(again("Tray"));
    screen.getByText("The desktop shows no tray");
    host.emit("background", { ...host.background, trayHost: true, noticeHost: "GNOME Shell" });
    await screen.findByText("The desktop shows the tray");
    await screen.findByText("GNOME Shell shows notices");
    expect(screen.queryByText("No tray here: closing quits.")).toBeNull();
  });

  it("offers the weekly digest to admins only", async () => {
    await open({ kind: "settings" }, { person: "user" });
    await screen.findByRole("checkbox", { name: "Notices" });
    expect(screen.queryByRole("checkbox", { name: "Weekly digest" })).toBeNull();
  });

  it("tries the keychain when asked", async () => {
    await open({ kind: "settings" }, { keychain: "locked" });
    await screen.findByText("GNOME Keyring is locked");
    const line = within(screen.getByRole("status", { name: "Keychain" }));
    await user.click(line.getByRole("button", { name: "Check again" }));
    await screen.findByText("GNOME Keyring is ready");
  });

  it("edits and removes a connection", async () => {
    await open({ kind: "settings" });
    await user.click(await screen.findByRole("button", { name: "Edit lab" }));
    const edit = within(await screen.findByRole("dialog", { name: "Edit connection" }));
    const name = edit.getByRole("textbox", { name: "Connection name" });
    await user.clear(name);
    await user.type(name, "testing{Enter}");
    await user.click(await screen.findByRole("button", { name: "Remove testing" }));
    const remove = within(await screen.findByRole("alertdialog", { name: "Remove testing?" }));
    await remove.findByText("ci-prod");
    remove.getByText(/values of 2 keys are/);
    remove.getByText(/every key there stays valid/);
    await user.click(remove.getByRole("button", { name: "Remove" }));
    await waitFor(() => expect(sent("remove_connection")).toHaveLength(1));
    await waitFor(() => expect(screen.queryByText("testing")).toBeNull());
  });

  it("shows what stands against removing a connection, and the way to it", async () => {
    await open({ kind: "settings" }, { outbox: [{ attempts: 2, problem: null }] });
    host.answer("connection_removal", () => ({
      stored: ["ci-prod"],
      hasCredential: true,
      waiting: 2,
      notKept: null,
    }));
    await user.click(await screen.findByRole("button", { name: "Remove acme" }));
    const question = within(await screen.findByRole("alertdialog", { name: "Remove acme?" }));
    await question.findByText(/2 revocations still\s+need it\./);
    question.getByText("Connection: acme");
    expect(question.queryByRole("button", { name: "Remove" })).toBeNull();
    await user.click(question.getByRole("button", { name: "Show what waits" }));
    await screen.findByRole("dialog", { name: "Not confirmed yet" });
    expect(sent("remove_connection")).toEqual([]);
  });

  it("tells at its place what is wrong with another way to the host", async () => {
    await open({ kind: "settings" });
    await user.click(await screen.findByRole("button", { name: "Edit acme" }));
    const edit = within(await screen.findByRole("dialog", { name: "Edit connection" }));
    edit.getByText("Cannot be changed. Add a connection for another address.");
    expect(edit.queryByRole("textbox", { name: "Palette address" })).toBeNull();
    await user.selectOptions(edit.getByRole("combobox", { name: "Proxy" }), "none");
    edit.getByText(/Save tries this on the server first/);
    host.fail("edit_connection", { code: "proxyFailed", message: "The connection is as it was." });
    await user.click(edit.getByRole("button", { name: "Save" }));
    await edit.findByText("The connection is as it was.");
    host.fail("edit_connection", null);
    await user.click(edit.getByRole("button", { name: "Save" }));
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
    expect(sent("edit_connection")).toHaveLength(2);
  });
});
