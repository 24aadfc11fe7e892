import { fireEvent, render, screen, waitFor, within } from "@testing-library/svelte";
import userEvent from "@testing-library/user-event";
import axe from "axe-core";
import { beforeEach, describe, expect, it } from "vitest";
import AppWindow from "../src/App.svelte";
import { App } from "../src/lib/app.svelte";
import { standIn } from "../src/lib/ipc";
import { fakeHost, NOW, type FakeHost, type FakeOptions } from "./fake-host";

let host: FakeHost;
let app: App;

async function open(options: FakeOptions = {}) {
  host = fakeHost(options);
  standIn(host);
  app = new App(() => NOW);
  render(AppWindow, { props: { app } });
  await screen.findByRole("heading", { name: "API keys", level: 1 });
  if (!options.keys && options.state !== "offline")
    await screen.findByRole("grid", { name: "API keys" });
  await waitFor(() => expect(app.entering || app.keys?.refreshing).toBe(false));
}

const row = (name: string) => screen.getByRole("row", { name: new RegExp(`Select ${name} `) });

describe("names", () => {
  beforeEach(() => open());

  it("has every control of the contract", () => {
    const main = screen.getByRole("navigation", { name: "Main" });
    for (const name of ["Keys", "Activity", "Settings"]) {
      expect(within(main).getByRole("link", { name })).toBeTruthy();
    }
    expect(within(main).queryByRole("link", { name: "Review" }), "not before it exists").toBeNull();
    screen.getByRole("button", { name: "Connection: acme" });
    screen.getByRole("button", { name: "New API key" });
    screen.getByRole("searchbox", { name: "Search keys" });
    const views = within(screen.getByRole("listbox", { name: "Views" })).getAllByRole("option");
    expect(views.map((view) => view.textContent?.replace(/\s+/g, " ").trim())).toEqual([
      "All38",
      "Mine7",
      "Expiring4",
      "Expired3",
      "Revoked5",
      "Never expires2",
      "Owner gone3",
      "In keychain6",
    ]);
    // "Created" is there too where the list is wide, which jsdom cannot tell.
    for (const name of ["Status", "Name", "Owner", "Expires", "Keychain"]) {
      screen.getByRole("columnheader", { name });
    }
    screen.getByRole("checkbox", { name: "Select ci-prod" });
    screen.getByRole("button", { name: "Actions for ci-prod" });
    expect(screen.getByRole("status", { name: "Status" }).textContent).toMatch(
      /As of \d\d:\d\d\s*You see every key of acme/,
    );
    expect(screen.getByText("7 of 20 of your keys used")).toBeTruthy();
  });

  it("has the details of the current key and its buttons", async () => {
    const details = screen.getByRole("region", { name: "Key details" });
    expect(within(details).getByRole("heading", { level: 2 }).textContent).toBe("ci-prod");
    for (const name of ["Copy key", "Copy as", "Reveal", "Edit", "Renew", "Revoke", "Delete"]) {
      within(details).getByRole("button", { name });
    }
    expect(within(details).queryByRole("button", { name: "Roll" })).toBeNull();
    await within(details).findByText("Tenant Admin");
    within(details).getByText("GNOME Keyring, this computer");
    within(details).getByText("Ends in 5 days");

    await fireEvent.click(row("nightly-backup"));
    expect(within(details).queryByRole("button", { name: "Copy key" })).toBeNull();
  });

  it("sorts by its headers", async () => {
    const header = screen.getByRole("columnheader", { name: "Name" });
    expect(header.getAttribute("aria-sort")).toBe("none");
    await fireEvent.click(within(header).getByRole("button", { name: "Name" }));
    expect(header.getAttribute("aria-sort")).toBe("ascending");
    expect(app.keys?.shown[0]?.key.name).toBe("argo-prod");
  });

  it("shows the toolbar of a selection", async () => {
    expect(screen.queryByRole("toolbar", { name: "Selection" })).toBeNull();
    await fireEvent.click(screen.getByRole("checkbox", { name: "Select ci-prod" }));
    await fireEvent.click(screen.getByRole("checkbox", { name: "Select argo-prod" }), {
      shiftKey: true,
    });
    const toolbar = screen.getByRole("toolbar", { name: "Selection" });
    within(toolbar).getByText("7 selected");
    for (const name of ["Revoke", "Renew", "Delete"]) within(toolbar).getByRole("button", { name });
  });

  it("filters as one types and says what it did not understand", async () => {
    const box = screen.getByRole("searchbox", { name: "Search keys" });
    await fireEvent.input(box, { target: { value: "owner:mikko" } });
    expect(screen.getByRole("grid").getAttribute("aria-rowcount")).toBe("4");
    await fireEvent.input(box, { target: { value: "status:foo" } });
    expect(box.getAttribute("aria-invalid")).toBe("true");
    screen.getByText(/Status is one of/);
    await fireEvent.input(box, { target: { value: "zzz" } });
    screen.getByRole("heading", { name: "No key matches" });
  });
});

describe("keyboard", () => {
  beforeEach(() => open());

  it("walks the list, ticks, opens and steps back", async () => {
    const user = userEvent.setup();
    row("ci-prod").focus();
    await user.keyboard("{ArrowDown}");
    await waitFor(() => expect(document.activeElement).toBe(row("nightly-backup")));
    await user.keyboard(" ");
    expect(app.keys?.selected.map(({ name }) => name)).toEqual(["nightly-backup"]);
    await user.keyboard("{Shift>}{ArrowDown}{/Shift}");
    expect(app.keys?.selected).toHaveLength(2);
    await user.keyboard("{Escape}");
    expect(app.keys?.selected).toEqual([]);
    await user.keyboard("{Control>}a{/Control}");
    expect(app.keys?.selected).toHaveLength(38);
    await user.keyboard("{Escape}{End}");
    await waitFor(() => expect(app.keys?.currentKey?.status).toBe("revoked"));
    await user.keyboard("/");
    await waitFor(() => expect(document.activeElement?.id).toBe("search-keys"));
  });

  it("acts by letters in the list, and leaves them to the fields", async () => {
    const user = userEvent.setup();
    row("nightly-backup").focus();
    await user.keyboard("e");
    expect(app.keys?.currentKey?.name, "about the row with the focus").toBe("nightly-backup");
    expect(app.dialogs.shown.map(({ kind }) => kind)).toEqual(["edit"]);
    app.dialogs.close(app.dialogs.shown[0]!.id);
    await user.click(screen.getByRole("searchbox", { name: "Search keys" }));
    await user.keyboard("ener?");
    expect(app.dialogs.shown).toEqual([]);
    expect(app.keys?.search).toBe("ener?");
  });

  it("copies with Ctrl+C and counts down", async () => {
    const user = userEvent.setup();
    row("ci-prod").focus();
    await user.keyboard("{Control>}c{/Control}");
    await screen.findByText(/Clears in 30 s/);
    expect(host.calls.at(-1)).toEqual({
      name: "copy_value",
      request: {
        source: { kind: "stored", connection: "acme", uid: "66e844c44bab2337f20c7471" },
        shape: "value",
      },
    });
    await user.click(screen.getByRole("button", { name: "Clear now" }));
    await waitFor(() => expect(screen.queryByText(/Clears in/)).toBeNull());
  });

  it("opens the command palette", async () => {
    const user = userEvent.setup();
    await user.keyboard("{Control>}k{/Control}");
    const palette = await screen.findByRole("dialog", { name: "Commands" });
    expect(within(palette).getByRole("group", { name: "ci-prod" })).toBeTruthy();
    await user.type(within(palette).getByRole("combobox", { name: "Command" }), "dark");
    expect(within(palette).getAllByRole("option")).toHaveLength(1);
    await user.keyboard("{Enter}");
    await waitFor(() => expect(document.documentElement.dataset.theme).toBe("dark"));
    expect(screen.queryByRole("dialog", { name: "Commands" })).toBeNull();
  });
});

describe("refreshing", () => {
  it("never moves the focus or the scroll", async () => {
    await open({ size: 200 });
    const grid = screen.getByRole("grid");
    const focused = app.keys!.shown[5]!;
    row(focused.key.name).focus();
    app.keys!.focus(focused.uid);
    grid.scrollTop = 80;
    host.keys = [...host.keys].reverse().filter(({ uid }) => uid !== app.keys!.shown[0]!.uid);
    host.keysChanged();
    await waitFor(() => expect(app.keys?.rows).toHaveLength(199));
    expect(document.activeElement?.getAttribute("data-uid")).toBe(focused.uid);
    expect(grid.scrollTop).toBe(80);
  });
});

describe("states", () => {
  it("is designed when empty", async () => {
    await open({ keys: [] });
    screen.getByRole("heading", { name: "There are no API keys yet" });
    expect(screen.getAllByRole("button", { name: "New API key" })).toHaveLength(1);
  });

  it("says offline and as of when", async () => {
    await open({ state: "offline" });
    await waitFor(() =>
      expect(screen.getByRole("status", { name: "Status" }).textContent).toMatch(
        /Offline, as of \d\d:\d\d/,
      ),
    );
  });

  it("offers to sign in again", async () => {
    await open({ state: "needsSignIn" });
    await screen.findByText(/You are signed out of acme/);
    await fireEvent.click(screen.getByRole("button", { name: "Sign in" }));
    expect(app.route).toEqual({ kind: "connect", signInTo: "acme" });
  });

  it("says what stands in the keychain's way", async () => {
    await open({ keychain: "locked" });
    await screen.findByText("GNOME Keyring is locked.");
    screen.getByRole("button", { name: "Try again" });
  });

  it("settles a creation whose answer was lost", async () => {
    await open({ lost: true });
    await screen.findByText("A key was made whose value nobody has.");
    screen.getByRole("button", { name: "Revoke it and create again" });
    screen.getByRole("button", { name: "Look again" });
    await fireEvent.click(screen.getByRole("button", { name: "Leave it" }));
    await waitFor(() =>
      expect(screen.queryByText("A key was made whose value nobody has.")).toBeNull(),
    );
  });

  it("shows a plain user the own keys and nothing of an admin's", async () => {
    await open({ person: "user" });
    screen.getByText(/You see your own keys/);
    const views = screen.getByRole("listbox", { name: "Views" });
    expect(within(views).queryByRole("option", { name: /Owner gone/ })).toBeNull();
  });

  it("tells an admin why an act is not there", async () => {
    const key = { ...fakeHost().keys[1]!, may: { update: false, delete: false } };
    host = fakeHost({ keys: [key] });
    standIn(host);
    app = new App(() => NOW);
    render(AppWindow, { props: { app } });
    await screen.findByText(/does not let you change or delete this key/);
    expect(screen.queryByRole("button", { name: "Revoke" })).toBeNull();
  });
});

describe("axe", () => {
  it.each<[string, FakeOptions]>([
    ["the list", {}],
    ["a list with banners", { lost: true, keychain: "locked" }],
    ["an empty list", { keys: [] }],
  ])("finds nothing wrong with %s", async (_, options) => {
    await open(options);
    // Colours need a real engine: they are looked at in the end-to-end run.
    const { violations } = await axe.run(document.body, {
      rules: { "color-contrast": { enabled: false } },
    });
    expect(
      violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html.slice(0, 160))]),
    ).toEqual([]);
  });
});
