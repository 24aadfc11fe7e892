import { configure, render, screen, waitFor, within } from "@testing-library/svelte";
import userEvent, { type UserEvent } from "@testing-library/user-event";
import axe from "axe-core";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { fakeHost, NOW, type FakeHost } from "../../../tests/fake-host";
import AppWindow from "../../App.svelte";
// Read beforehand: the window reads it once its first screen is painted.
import "../../later";
import { App } from "../../lib/app.svelte";
import { standIn, type HeldView, type KeyView } from "../../lib/ipc";

// Whole screens on a busy machine.
configure({ asyncUtilTimeout: 8_000 });
vi.setConfig({ testTimeout: 30_000 });

let host: FakeHost;
let app: App;
let user: UserEvent;

async function open(options: Parameters<typeof fakeHost>[0] = {}) {
  host = fakeHost(options);
  standIn(host);
  app = new App(() => NOW);
  user = userEvent.setup();
  render(AppWindow, { app });
  await waitFor(() => expect(app.keys?.list).toBeTruthy());
}

beforeEach(() => open());

const sent = (name: string) => host.calls.filter((each) => each.name === name);
const key = (name: string): KeyView => {
  const found = host.keys.find((each) => each.name === name);
  if (!found) throw new Error(`no key ${name}`);
  return found;
};
const held = (part: Partial<HeldView> = {}): HeldView => ({
  held: "held-9",
  connection: "acme",
  uid: "66e844c44bab2337f20c7471",
  name: "ci-payments",
  ownerName: "Jane Doe",
  organization: "acme",
  expires: NOW + 30 * 86_400_000,
  length: 32,
  saved: { kind: "notAsked" },
  proof: { kind: "works", actsAs: "Jane Doe" },
  kept: false,
  ...part,
});

/** Contrast needs a real browser; the screenshots look at it. */
async function violations(): Promise<string[]> {
  const { violations } = await axe.run(screen.getByRole("dialog", { hidden: true }), {
    rules: { "color-contrast": { enabled: false } },
  });
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
}

describe("New API key", () => {
  async function create() {
    app.askCreate();
    return within(await screen.findByRole("dialog", { name: "New API key" }));
  }

  it("has the names of the contract", async () => {
    const dialog = await create();
    const name = dialog.getByRole("textbox", { name: "API key name" });
    await waitFor(() => expect(document.activeElement).toBe(name));
    dialog.getByRole("textbox", { name: "Description" });
    dialog.getByRole("combobox", { name: "User name" });
    const group = within(dialog.getByRole("radiogroup", { name: "Expiration date" }));
    expect(
      group.getAllByRole("radio").map((radio) => radio.parentElement?.textContent?.trim()),
    ).toEqual(["7 days", "30 days", "60 days", "90 days", "Custom"]);
    expect(group.getByRole<HTMLInputElement>("radio", { name: "30 days" }).checked).toBe(true);
    expect(
      dialog.getByRole<HTMLInputElement>("checkbox", { name: "Save to keychain" }).checked,
    ).toBe(true);
    dialog.getByRole("button", { name: "Generate" });
    dialog.getByRole("button", { name: "Cancel" });
    dialog.getByText("8 of 20 keys used afterwards");
    await dialog.findByText(/^Ends Wed 23 Dec 2026/u);
    expect(await violations()).toEqual([]);
  });

  it("makes a key with Enter and hands its value over", async () => {
    const dialog = await create();
    await user.type(dialog.getByRole("textbox", { name: "API key name" }), "edge{Enter}");
    await screen.findByRole("dialog", { name: "Save your API key" });
    expect(screen.queryByRole("dialog", { name: "New API key" })).toBeNull();
    expect(sent("create_key")).toHaveLength(1);
  });

  it("asks for a name at the name", async () => {
    const dialog = await create();
    await user.click(dialog.getByRole("button", { name: "Generate" }));
    const name = dialog.getByRole("textbox", { name: "API key name" });
    expect(name.getAttribute("aria-invalid")).toBe("true");
    expect(name).toBe(document.activeElement);
    expect(sent("create_key")).toHaveLength(0);
  });

  it("takes a typed date and time", async () => {
    const dialog = await create();
    await user.type(dialog.getByRole("textbox", { name: "API key name" }), "edge");
    await user.click(dialog.getByRole("radio", { name: "Custom" }));
    const date = dialog.getByRole("textbox", { name: "Date" });
    const time = dialog.getByRole("textbox", { name: "Time" });
    await user.clear(date);
    await user.type(date, "2027-01-12");
    await user.clear(time);
    await user.type(time, "18:00");
    await user.click(dialog.getByRole("button", { name: "Generate" }));
    await waitFor(() => expect(sent("create_key")).toHaveLength(1));
    expect(sent("create_key")[0]?.request).toMatchObject({
      expiry: { kind: "at", date: "2027-01-12", time: "18:00" },
    });
  });

  it("finds an owner by a part of the name or the email", async () => {
    const dialog = await create();
    const box = dialog.getByRole("combobox", { name: "User name" });
    await user.click(box);
    await user.keyboard("ana.ru");
    const options = dialog.getAllByRole("option", { hidden: true });
    expect(options.map((option) => option.textContent)).toEqual([
      expect.stringContaining("Ana Ruiz"),
    ]);
    await user.keyboard("{Enter}");
    expect((box as HTMLInputElement).value).toBe("Ana Ruiz");
    expect(
      dialog.getByRole<HTMLInputElement>("checkbox", { name: "Save to keychain" }).checked,
    ).toBe(false);
  });

  it("closes the list with the first Esc and itself with the second", async () => {
    const dialog = await create();
    await user.click(dialog.getByRole("combobox", { name: "User name" }));
    await user.keyboard("{Escape}");
    expect(dialog.queryByRole("listbox", { hidden: true })).toBeNull();
    expect(screen.queryByRole("dialog", { name: "New API key" })).not.toBeNull();
    await user.keyboard("{Escape}");
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  });

  it("has no owner to choose for a plain user", async () => {
    document.body.innerHTML = "";
    await open({ person: "user" });
    const dialog = await create();
    expect(dialog.queryByRole("combobox")).toBeNull();
  });

  it("keeps everything typed when it fails, and says why", async () => {
    host.fail("create_key", { code: "serverFault", message: "Nothing was created." });
    const dialog = await create();
    const name = dialog.getByRole<HTMLInputElement>("textbox", { name: "API key name" });
    await user.type(name, "edge{Enter}");
    expect((await dialog.findByRole("alert")).textContent).toContain("Nothing was created.");
    expect(name.value).toBe("edge");
  });

  it("says that an answer was lost, and offers the three ways on", async () => {
    host.answer("create_key", () => ({
      kind: "lost",
      lost: {
        creation: "l",
        connection: "acme",
        name: "edge",
        askedAt: NOW,
        candidates: [key("ci-prod")],
        looked: true,
      },
    }));
    const dialog = await create();
    await user.type(dialog.getByRole("textbox", { name: "API key name" }), "edge{Enter}");
    const lost = within(
      await screen.findByRole("dialog", { name: "A key was made whose value nobody has" }),
    );
    lost.getByRole("button", { name: "Look again" });
    lost.getByRole("button", { name: "Revoke it and create again" });
    await user.click(lost.getByRole("button", { name: "Leave it" }));
    const again = within(await screen.findByRole("dialog", { name: "New API key" }));
    expect(again.getByRole<HTMLInputElement>("textbox", { name: "API key name" }).value).toBe(
      "edge",
    );
  });
});

describe("Save your API key", () => {
  async function save(part: Partial<HeldView> = {}) {
    app.openHeld(held(part));
    return within(await screen.findByRole("dialog", { name: "Save your API key" }));
  }

  it("has the names of the contract and never the value", async () => {
    const dialog = await save();
    for (const name of ["Copy", "Copy as", "Save to keychain", "Save to file", "Reveal", "Done"]) {
      dialog.getByRole("button", { name });
    }
    dialog.getByText("Works: acts as Jane Doe in acme");
    expect(document.body.textContent).not.toContain("fake-value");
    expect(await violations()).toEqual([]);
  });

  it("is not lost by Esc", async () => {
    await save();
    await user.keyboard("{Escape}");
    await user.keyboard("{Escape}");
    expect(screen.queryByRole("dialog", { name: "Save your API key" })).not.toBeNull();
  });

  it("asks before it closes without the value kept, with the safe way focused", async () => {
    host.fail("finish_held", { code: "valueNotKept" });
    const dialog = await save();
    await user.click(dialog.getByRole("button", { name: "Done" }));
    const question = within(
      await screen.findByRole("alertdialog", { name: "Close without keeping it?" }),
    );
    const back = question.getByRole("button", { name: "Go back" });
    await waitFor(() => expect(document.activeElement).toBe(back));
    question.getByRole("button", { name: "Revoke and close" });
    await user.click(back);
    await waitFor(() => expect(screen.queryByRole("alertdialog")).toBeNull());
    expect(screen.queryByRole("dialog", { name: "Save your API key" })).not.toBeNull();
  });

  it("asks the same when the window was about to close", async () => {
    await save();
    host.emit("held-waiting", held());
    await screen.findByRole("alertdialog", { name: "Close without keeping it?" });
    expect(screen.getAllByRole("dialog", { hidden: true })).toHaveLength(1);
  });

  it("says Saved once it is", async () => {
    document.body.innerHTML = "";
    await open({ held: true });
    const dialog = within(await screen.findByRole("dialog", { name: "Save your API key" }));
    dialog.getByRole("button", { name: "Saved" });
    dialog.getByText("Saved to GNOME Keyring and read back");
  });

  it("copies in each shape, in Rust", async () => {
    const dialog = await save();
    host.answer("copy_value", () => ({ state: "armed", clearsIn: 30_000 }));
    dialog.getByRole("button", { name: "Copy as" }).focus();
    await user.keyboard("{Enter}");
    // Placed by floating-ui, which jsdom has no layout for: it stays hidden there.
    const items = await waitFor(() => {
      const found = document.querySelectorAll(
        '[role="menu"][aria-label="Copy as"] [role="menuitem"]',
      );
      expect(found).toHaveLength(11);
      return [...found];
    });
    const block = items.find((item) => item.textContent?.includes("Terraform provider block"));
    if (block instanceof HTMLElement) block.focus();
    await user.keyboard("{Enter}");
    await waitFor(() => expect(sent("copy_value")).toHaveLength(1));
    expect(sent("copy_value")[0]?.request).toEqual({
      source: { kind: "held", held: "held-9" },
      shape: "terraformProvider",
    });
    await dialog.findByText("Clears in 30 s");
    dialog.getByRole("button", { name: "Clear now" });
  });
});

describe("the other dialogs", () => {
  it("edit: says what cannot be changed, and saves", async () => {
    app.dialogs.open({ kind: "edit", key: key("ci-prod") });
    const dialog = within(await screen.findByRole("dialog", { name: "Edit API key" }));
    expect(dialog.getByRole<HTMLInputElement>("radio", { name: "Keep" }).checked).toBe(true);
    expect(dialog.getAllByText(/Cannot be changed/u)).toHaveLength(2);
    const description = dialog.getByRole("textbox", { name: "Description" });
    await user.type(description, "!");
    expect(await violations()).toEqual([]);
    await user.click(dialog.getByRole("button", { name: "Save" }));
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
    expect(sent("edit_key")).toHaveLength(1);
  });

  it("edit: shows both versions when someone else changed it", async () => {
    const theirs = { ...key("ci-prod"), description: "Theirs" };
    host.answer("edit_key", () => ({ kind: "conflict", theirs }));
    app.dialogs.open({ kind: "edit", key: key("ci-prod") });
    const dialog = within(await screen.findByRole("dialog", { name: "Edit API key" }));
    await user.type(dialog.getByRole("textbox", { name: "API key name" }), "-2{Enter}");
    const conflict = within(
      await screen.findByRole("alertdialog", { name: "Someone else changed this key" }),
    );
    const description = within(conflict.getByRole("region", { name: "Description" }));
    description.getByText("Theirs", { selector: "dd" });
    await user.click(conflict.getByRole("button", { name: "Use theirs" }));
    await waitFor(() => expect(screen.queryByRole("alertdialog")).toBeNull());
    expect(sent("edit_key")).toHaveLength(1);
  });

  it("edit: can be tried again when the key could not be read", async () => {
    host.fail("read_key", { code: "hostUnreachable", message: "No answer." });
    app.dialogs.open({ kind: "edit", key: key("ci-prod") });
    const dialog = within(await screen.findByRole("dialog", { name: "Edit API key" }));
    await dialog.findByRole("alert");
    await user.type(dialog.getByRole("textbox", { name: "Description" }), "!");
    expect(dialog.getByRole("alert").textContent).toContain("No answer.");
    const save = dialog.getByRole<HTMLButtonElement>("button", { name: "Save" });
    expect(save.disabled).toBe(true);
    expect(await violations()).toEqual([]);
    host.fail("read_key", null);
    await user.click(dialog.getByRole("button", { name: "Try again" }));
    await waitFor(() => expect(save.disabled).toBe(false));
    expect(dialog.queryByRole("alert")).toBeNull();
    expect(document.activeElement).toBe(dialog.getByRole("textbox", { name: "API key name" }));
  });

  it.each<[string, "renew_key" | "edit_key" | "create_key", string]>([
    ["renew", "renew_key", "Renew"],
    ["edit", "edit_key", "Save"],
    ["create", "create_key", "Generate"],
  ])("%s: says nothing more of an end when another is chosen", async (kind, command, button) => {
    host.fail(command, { code: "expiryBeyondPolicy", message: "Longer than the policy allows." });
    if (kind === "renew") app.dialogs.open({ kind, keys: [key("ci-prod")] });
    else if (kind === "edit") app.dialogs.open({ kind, key: key("ci-prod") });
    else app.dialogs.open({ kind: "create", prefill: { name: "edge" } });
    const dialog = within(await screen.findByRole("dialog"));
    await user.click(dialog.getByRole("radio", { name: "60 days" }));
    const press = dialog.getByRole<HTMLButtonElement>("button", { name: button });
    await waitFor(() => expect(press.disabled).toBe(false));
    await user.click(press);
    await dialog.findByText("Longer than the policy allows.");
    await user.click(dialog.getByRole("radio", { name: "30 days" }));
    expect(dialog.queryByText("Longer than the policy allows.")).toBeNull();
    await dialog.findByText(/^Ends Wed 23 Dec 2026/u);
  });

  it("renew: one key, from now", async () => {
    app.dialogs.open({ kind: "renew", keys: [key("ci-prod")] });
    const dialog = within(await screen.findByRole("dialog", { name: "Renew API key" }));
    await user.click(dialog.getByRole("radio", { name: "90 days" }));
    expect(await violations()).toEqual([]);
    await user.click(dialog.getByRole("button", { name: "Renew" }));
    await waitFor(() => expect(sent("renew_key")).toHaveLength(1));
    expect(sent("renew_key")[0]?.request).toMatchObject({ expiry: { kind: "days", days: 90 } });
  });

  it("delete: opens only with the name, and offers the way back first", async () => {
    app.dialogs.open({ kind: "delete", keys: [key("ci-prod")] });
    const dialog = within(await screen.findByRole("dialog", { name: "Delete API key" }));
    const button = dialog.getByRole<HTMLButtonElement>("button", { name: "Delete" });
    dialog.getByRole("button", { name: "Revoke instead" });
    const box = dialog.getByRole("textbox", { name: "Type the key's name to confirm" });
    expect(button.disabled).toBe(true);
    await user.type(box, "ci-pro");
    expect(button.disabled).toBe(true);
    await user.type(box, "d");
    expect(button.disabled).toBe(false);
    expect(await violations()).toEqual([]);
    await user.click(button);
    await waitFor(() => expect(sent("delete_key")).toHaveLength(1));
  });

  it("delete: takes the end of the uid where the name cannot be typed", async () => {
    const nameless = { ...key("ci-prod"), name: "" };
    host.keys = host.keys.map((each) => (each.uid === nameless.uid ? nameless : each));
    app.dialogs.open({ kind: "delete", keys: [nameless] });
    const dialog = within(await screen.findByRole("dialog", { name: "Delete API key" }));
    const words = dialog.getByText(/goes for ever\. This cannot be undone\.$/u);
    within(words).getByText("(no name) …0c7471");
    const box = dialog.getByRole("textbox", { name: "Type …0c7471 to delete" });
    await user.type(box, "{Enter}");
    expect(sent("delete_key")).toHaveLength(0);
    expect(await violations()).toEqual([]);
    await user.type(box, "…0c7471{Enter}");
    await waitFor(() => expect(sent("delete_key")).toHaveLength(1));
  });

  it("tell two keys of one name apart, and show what is hidden in a name", async () => {
    const odd = { ...key("ci-prod"), name: "pro\u202ed", ownerName: "Sam\u200b" };
    app.dialogs.open({ kind: "renew", keys: [odd] });
    const renew = within(await screen.findByRole("dialog", { name: "Renew API key" }));
    within(renew.getByText(/^A new end for , counted from now/u)).getByText("pro⟨U+202E⟩d …0c7471");
    await user.keyboard("{Escape}");
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());

    app.keys?.askRoll(odd);
    const roll = within(await screen.findByRole("dialog", { name: "Roll API key" }));
    within(roll.getByText(/^A new key takes the place of :/u)).getByText("pro⟨U+202E⟩d …0c7471");
    await user.keyboard("{Escape}");
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());

    const theirs = { ...odd, mine: false };
    app.keys?.revoke([theirs]);
    const name = "Revoke pro⟨U+202E⟩d?";
    const question = within(await screen.findByRole("alertdialog", { name }));
    within(question.getByText("Key:")).getByText("pro⟨U+202E⟩d …0c7471");
    question.getByText("Owner: Sam⟨U+200B⟩");
    await user.keyboard("{Escape}");
    await waitFor(() => expect(screen.queryByRole("alertdialog")).toBeNull());

    app.dialogs.open({ kind: "delete", keys: [odd, key("argo-prod")] });
    const several = within(await screen.findByRole("dialog", { name: "Delete API key" }));
    const [first] = within(several.getByRole("list", { name: "Keys" })).getAllByRole("listitem");
    expect(first?.textContent).toMatch(/pro⟨U\+202E⟩d …0c7471 Sam⟨U\+200B⟩/u);
  });

  it("delete: revokes instead", async () => {
    app.dialogs.open({ kind: "delete", keys: [key("ci-prod")] });
    await user.click(await screen.findByRole("button", { name: "Revoke instead" }));
    await waitFor(() => expect(sent("revoke_key")).toHaveLength(1));
    expect(sent("delete_key")).toHaveLength(0);
  });

  it("confirm: does nothing until its own button is pressed", async () => {
    let confirmed = 0;
    const ask = () =>
      app.dialogs.confirm({
        title: "Revoke 3 keys?",
        lines: ["Keys: a, b, c"],
        action: "Revoke 3 keys",
        tone: "danger",
        onConfirm: () => confirmed++,
      });
    ask();
    await screen.findByRole("alertdialog", { name: "Revoke 3 keys?" });
    await user.keyboard("{Escape}");
    expect(confirmed).toBe(0);
    await waitFor(() => expect(screen.queryByRole("alertdialog")).toBeNull());
    ask();
    await user.click(await screen.findByRole("button", { name: "Revoke 3 keys" }));
    expect(confirmed).toBe(1);
  });

  it("undo: shows what somebody changed since, and undoes only when said so", async () => {
    const state = { name: "mine", description: "", expires: NOW, active: true };
    app.dialogs.open({
      kind: "undoConflict",
      undoing: app.undoing,
      conflict: {
        kind: "conflict",
        line: 7,
        act: "edit",
        connection: "acme",
        key: key("ci-prod"),
        left: state,
        now: { ...state, name: "theirs", description: "theirs too" },
        back: { ...state, name: "before", description: "theirs too" },
      },
    });
    const name = { name: "Someone changed this key since" };
    const dialog = within(await screen.findByRole("alertdialog", name));
    const region = within(dialog.getByRole("region", { name: "Name" }));
    for (const value of ["mine", "theirs", "before"]) region.getByText(value, { selector: "dd" });
    within(dialog.getByRole("region", { name: "Description" })).getByText("Stays as it is now");
    const leave = dialog.getByRole("button", { name: "Leave as it is" });
    await waitFor(() => expect(document.activeElement).toBe(leave));
    await user.click(dialog.getByRole("button", { name: "Undo anyway" }));
    await waitFor(() => expect(sent("undo")).toHaveLength(1));
    expect(sent("undo")[0]?.request).toMatchObject({ seen: { name: "theirs" } });
  });

  it("found: asks where it is tried, then revokes the key that was picked", async () => {
    app.askFound();
    const dialog = within(await screen.findByRole("dialog", { name: "Found a key?" }));
    expect(await violations()).toEqual([]);
    const value = dialog.getByLabelText<HTMLInputElement>("Found value");
    expect(value.type).toBe("password");
    await user.type(value, "a-value-that-turned-up{Enter}");
    dialog.getByText("api.spectrocloud.com", { selector: "b" });
    expect(sent("try_found_key")).toHaveLength(0);
    expect(await violations()).toEqual([]);
    await user.click(dialog.getByRole("button", { name: "Try it on api.spectrocloud.com" }));
    await dialog.findByText("It works: it acts as Jane Doe in acme.");
    expect(sent("try_found_key")).toHaveLength(1);
    const revoke = dialog.getByRole<HTMLButtonElement>("button", { name: "Revoke" });
    expect(revoke.disabled).toBe(true);
    const candidates = within(dialog.getByRole("group", { name: "Which key is it?" }));
    await user.click(candidates.getByRole("radio", { name: /^ci-prod/u }));
    expect(await violations()).toEqual([]);
    await user.click(dialog.getByRole("button", { name: "Revoke ci-prod" }));
    const question = await screen.findByRole("alertdialog", { name: "Revoke ci-prod?" });
    within(question).getByText(/^Owner: Jane Doe/u);
    expect(sent("revoke_found_key")).toHaveLength(0);
    await user.click(within(question).getByRole("button", { name: "Revoke" }));
    await dialog.findByText(/^Palette refused the found value at/u);
    screen.getByRole("dialog", { name: "ci-prod is revoked" });
    await user.click(dialog.getByRole("button", { name: "Done" }));
    await waitFor(() => expect(sent("forget_found_key")).toHaveLength(1));
  });

  it("found: names the connection it was found in, not the open one", async () => {
    app.askFound();
    const dialog = within(await screen.findByRole("dialog", { name: "Found a key?" }));
    await user.selectOptions(dialog.getByRole("combobox", { name: "Connection" }), "lab");
    host.answer("try_found_key", () => ({
      found: "f",
      host: "palette.lab.example",
      outcome: { kind: "known", key: key("ci-prod"), works: true },
    }));
    await user.type(dialog.getByLabelText("Found value"), "a-value-that-turned-up{Enter}");
    await user.click(dialog.getByRole("button", { name: /^Try it on/u }));
    await user.click(await dialog.findByRole("button", { name: "Revoke ci-prod" }));
    const question = within(await screen.findByRole("alertdialog", { name: "Revoke ci-prod?" }));
    expect(question.getAllByText(/^Connection: /u).map((line) => line.textContent)).toEqual([
      "Connection: lab",
    ]);
  });

  it("found: does not revoke the key that signs the app in", async () => {
    const guarded = { ...key("ci-prod"), flags: ["signsIn" as const] };
    host.answer("try_found_key", () => ({
      found: "f",
      host: "api.spectrocloud.com",
      outcome: { kind: "known", key: guarded, works: true },
    }));
    app.askFound();
    const dialog = within(await screen.findByRole("dialog", { name: "Found a key?" }));
    await user.type(dialog.getByLabelText("Found value"), "a-value-that-turned-up{Enter}");
    await user.click(dialog.getByRole("button", { name: /^Try it on/u }));
    await dialog.findByText(/signs Palette Keys in to acme/u);
    expect(dialog.queryByRole("button", { name: /^Revoke/u })).toBeNull();
  });

  it("offboard: counts what may be revoked, and says why where that is nothing", async () => {
    document.body.innerHTML = "";
    const keys = fakeHost().keys.map((each) =>
      each.ownerName === "Ana Ruiz" && each.name !== "argo-prod"
        ? { ...each, may: { update: false, delete: false } }
        : each,
    );
    await open({ keys });
    app.askOffboard({ uid: key("argo-prod").ownerUid, name: "Ana Ruiz" });
    const dialog = within(await screen.findByRole("dialog", { name: "Offboard a person" }));
    await user.click(dialog.getByRole("button", { name: "Revoke 1 key" }));
    const question = within(await screen.findByRole("alertdialog", { name: "Revoke argo-prod?" }));
    question.getByText("4 may not be changed by you");
    await user.click(question.getByRole("button", { name: "Revoke" }));
    await dialog.findByText("Your role in acme does not let you change these keys.");
    expect(dialog.queryByRole("button", { name: /^Revoke/u })).toBeNull();
  });

  it("gives the focus back to what opened it", async () => {
    const opener = screen.getByRole("button", { name: "New API key" });
    await user.click(opener);
    await screen.findByRole("dialog", { name: "New API key" });
    await user.keyboard("{Escape}");
    await waitFor(() => expect(document.activeElement).toBe(opener));
  });
});
