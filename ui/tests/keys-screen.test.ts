import { cleanup, fireEvent, render, screen, waitFor, within } from "@testing-library/svelte";
import userEvent from "@testing-library/user-event";
import axe from "axe-core";
import { flushSync } from "svelte";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import AppWindow from "../src/App.svelte";
// Read beforehand: the window reads it once its first screen is painted.
import "../src/later";
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
    for (const name of ["Keys", "Review", "Activity", "Settings"]) {
      expect(within(main).getByRole("link", { name })).toBeTruthy();
    }
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
    const names = ["Copy key", "Copy as", "Reveal", "Edit", "Renew", "Roll", "Revoke", "Delete"];
    for (const name of names) within(details).getByRole("button", { name });
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
    await screen.findByText(/Status is one of/);
    await fireEvent.input(box, { target: { value: "zzz" } });
    screen.getByRole("heading", { name: "No key matches" });
  });
});

describe("what the list shows", () => {
  it("writes out what is hidden in a name, and has words for one that is not there", async () => {
    const [first, second] = fakeHost().keys;
    if (!first || !second) throw new Error("no keys");
    const odd = { ...first, name: "pro\u202ed\n", ownerName: "Jane\u200b" };
    await open({ keys: [odd, { ...second, name: "" }] });
    const headers = screen.getAllByRole("rowheader").map(({ textContent }) => textContent.trim());
    expect(headers).toEqual(["pro⟨U+202E⟩d⟨U+000A⟩", "(no name)"]);
    screen.getByRole("checkbox", { name: "Select pro⟨U+202E⟩d⟨U+000A⟩" });
    screen.getByRole("button", { name: "Actions for (no name)" });
    const details = within(screen.getByRole("region", { name: "Key details" }));
    expect(details.getByRole("heading", { level: 2 }).textContent).toBe("pro⟨U+202E⟩d⟨U+000A⟩");
    expect(screen.getAllByText("Jane⟨U+200B⟩")).toHaveLength(2);
  });

  it("is said shortly beside what selects all of it", async () => {
    await open();
    const sub = () => screen.getByRole("heading", { name: "API keys" }).nextElementSibling;
    expect(sub()?.textContent).toMatch(/^38 keys of \d+ owners\s*$/u);
    await fireEvent.click(screen.getByRole("checkbox", { name: "Select ci-prod" }));
    expect(sub()?.textContent).toMatch(/^38 keys\s+Select all 38\s*$/u);
    await fireEvent.click(screen.getByRole("button", { name: "Select all 38 matching" }));
    expect(app.keys?.selected).toHaveLength(38);
    if (app.keys) app.keys.search = "ci-";
    await waitFor(() => expect(sub()?.textContent).toMatch(/^\d of 38 keys/u));
  });

  it("counts nothing before it was read, and keeps the place of each column and button", async () => {
    await open();
    const { keys } = app;
    if (!keys) throw new Error("no list");
    await app.saveSettings({ ...app.settings, hiddenColumns: ["owner"] });
    const columns = () => document.querySelector<HTMLElement>("[style*='--columns']")?.style;
    const places = () => document.querySelectorAll(".list > header > *").length;
    const inList = [columns()?.getPropertyValue("--columns"), places()];
    expect(inList[0]).toContain("minmax(0, 1fr)");

    keys.refreshing = true;
    keys.list = null;
    keys.rows = [];
    await screen.findByText("Reading the keys…");
    expect([columns()?.getPropertyValue("--columns"), places()]).toEqual(inList);
    const views = within(screen.getByRole("listbox", { name: "Views" })).getAllByRole("option");
    for (const view of views) expect(view.textContent).not.toMatch(/\d/u);
  });
});

describe("a key that the search hides", () => {
  beforeEach(() => open());

  it("stays in the details, which say so and lead back to it", async () => {
    const user = userEvent.setup();
    const details = () => within(screen.getByRole("region", { name: "Key details" }));
    const { keys } = app;
    await details().findByRole("heading", { name: "ci-prod" });
    expect(details().queryByRole("button", { name: "Show in list" })).toBeNull();

    keys?.show("revoked");
    await user.type(screen.getByRole("searchbox", { name: "Search keys" }), "load");
    details().getByRole("heading", { name: "ci-prod" });
    await details().findByText("Not in the list as it is filtered now.");
    await user.click(details().getByRole("button", { name: "Show in list" }));
    expect([keys?.search, keys?.view]).toEqual(["", "all"]);
    await waitFor(() => expect(document.activeElement).toBe(row("ci-prod")));
    expect(details().queryByRole("button", { name: "Show in list" })).toBeNull();
  });
});

describe("a key that the search hides while one types", () => {
  beforeEach(() => open());
  afterEach(() => {
    vi.useRealTimers();
  });

  it("is told of when the last letter has rested, not the one that hid it", async () => {
    const { keys } = app;
    const words = "Not in the list as it is filtered now.";
    const details = within(screen.getByRole("region", { name: "Key details" }));
    await details.findByRole("heading", { name: "ci-prod" });
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    if (!keys) throw new Error("no keys");
    for (const typed of ["l", "lo", "loa", "load"]) {
      keys.search = typed;
      flushSync();
      vi.advanceTimersByTime(200);
      flushSync();
      expect(details.queryByText(words), typed).toBeNull();
    }
    vi.advanceTimersByTime(101);
    flushSync();
    details.getByText(words);
  });
});

describe("the help of the search box", () => {
  beforeEach(() => open());

  it("completes what is typed, and has chips that write the same text", async () => {
    const user = userEvent.setup();
    const box = screen.getByRole<HTMLInputElement>("searchbox", { name: "Search keys" });
    await user.type(box, "own");
    // The help follows the list a frame later.
    const list = await screen.findByRole("list", { name: "Suggestions" });
    within(list).getByRole("button", { name: /^owner:/ });
    await user.keyboard("{ArrowRight}");
    expect(box.value).toBe("owner:");
    await user.keyboard("mik{ArrowRight}");
    expect(box.value).toBe('owner:"Mikko Korhonen" ');
    expect(screen.getByRole("grid").getAttribute("aria-rowcount")).toBe("4");

    const filters = { name: "Common filters" };
    await waitFor(() => expect(screen.queryByRole("group", filters), "out of the way").toBeNull());
    await user.clear(box);
    const chips = within(await screen.findByRole("group", filters));
    const never = chips.getByRole("button", { name: "Never expires" });
    await user.click(never);
    expect(box.value).toBe("is:never");
    await waitFor(() => expect(never.getAttribute("aria-pressed")).toBe("true"));
    expect(document.activeElement, "the field keeps the focus").toBe(box);
    await user.click(never);
    expect(box.value).toBe("");
    await user.type(box, "stauts:active");
    await screen.findByText(/Did you mean status:/);
    expect((await axe.run(document.body)).violations).toEqual([]);
  });
});

describe("list options", () => {
  let user = userEvent.setup();
  beforeEach(() => {
    user = userEvent.setup();
  });
  const views = () => within(screen.getByRole("listbox", { name: "Views" }));
  const selected = () => views().getByRole("option", { selected: true }).textContent;

  async function options() {
    await user.click(screen.getByRole("button", { name: "List options" }));
    // jsdom has no layout, so the menu is never placed and counts as hidden.
    return waitFor(() => {
      const menu = '[role="menu"][aria-label="List options"] [role="menuitem"]';
      const found = [...document.querySelectorAll<HTMLElement>(menu)];
      expect(found.length).toBeGreaterThan(0);
      return found;
    });
  }

  async function option(name: string) {
    const lines = await options();
    const line = lines.find(({ textContent }) => textContent.trim() === name);
    if (!line) throw new Error(`no line ${name}`);
    await user.click(line);
    await waitFor(() => expect(document.querySelector('[role="menu"]')).toBeNull());
  }

  it("put a column away, and bring it back", async () => {
    await open();
    const grid = screen.getByRole("grid", { name: "API keys" });
    expect(grid.dataset.columns).toContain("owner");
    await option("Owner");
    expect(grid.dataset.columns).not.toContain("owner");
    expect(host.settings.hiddenColumns).toEqual(["owner"]);
    await option("Owner");
    await waitFor(() => expect(grid.dataset.columns).toContain("owner"));
  });

  it("say of a column without room what it needs", async () => {
    await open();
    const lines = (await options()).map(({ textContent }) => textContent.trim());
    expect(lines).toContain("Expires");
    expect(lines).toContain("Created Needs a wider window");
  });

  it("save what is shown as a view, rename it and take it away, with an undo", async () => {
    await open();
    await user.click(views().getByRole("option", { name: /^Never expires/ }));
    await user.type(screen.getByRole("searchbox", { name: "Search keys" }), "created:>1y");
    await user.click(screen.getByRole("button", { name: "Name" }));
    const rows = app.keys?.order;
    expect(rows?.length).toBeGreaterThan(0);

    await option("Save this view…");
    const dialog = within(await screen.findByRole("dialog", { name: "Save this view" }));
    dialog.getByText("Never expires · created:>1y · by name");
    await user.type(dialog.getByRole("textbox", { name: "Name" }), "Old and endless");
    await user.click(dialog.getByRole("button", { name: "Save view" }));
    await waitFor(() => expect(selected()).toBe(`Old and endless${rows?.length}`));

    await user.click(views().getByRole("option", { name: /^All/ }));
    await user.clear(screen.getByRole("searchbox", { name: "Search keys" }));
    await option("Next trouble first");
    expect(app.keys?.sort).toEqual({ column: "expires", descending: false });
    await user.click(views().getByRole("option", { name: /^Old and endless/ }));
    expect(app.keys?.order).toEqual(rows);

    await option("Rename this view…");
    const rename = within(await screen.findByRole("dialog", { name: "Rename this view" }));
    const name = rename.getByRole("textbox", { name: "Name" });
    await user.clear(name);
    await user.type(name, "Endless");
    await user.click(rename.getByRole("button", { name: "Rename" }));
    await waitFor(() => expect(selected()).toBe(`Endless${rows?.length}`));

    await option("Remove this view");
    await waitFor(() => expect(views().queryByRole("option", { name: /^Endless/ })).toBeNull());
    // What is saved meanwhile stays.
    await app.saveView("Since then", null);
    await user.click(screen.getByRole("button", { name: "Undo" }));
    await views().findByRole("option", { name: /^Endless/ });
    expect(host.settings.savedViews.map(({ name }) => name)).toEqual(["Endless", "Since then"]);
  });

  it("have each name once, and nothing is shown that is not saved", async () => {
    await open();
    await app.saveView("Endless", null);
    if (app.keys) app.keys.search = "ci-";
    await option("Save this view…");
    const dialog = within(await screen.findByRole("dialog", { name: "Save this view" }));
    await user.type(dialog.getByRole("textbox", { name: "Name" }), "Endless");
    await user.click(dialog.getByRole("button", { name: "Save view" }));
    await dialog.findByText("There is a view of that name already. Nothing was saved.");
    expect(app.settings.savedViews.map(({ name }) => name)).toEqual(["Endless"]);
    expect(host.calls.filter(({ name }) => name === "save_settings")).toHaveLength(1);
  });

  it("say at the name why it cannot be saved", async () => {
    await open();
    await option("Save this view…");
    const dialog = within(await screen.findByRole("dialog", { name: "Save this view" }));
    const words = "There is a view of that name already. Nothing was saved.";
    host.fail("save_settings", { code: "settingInvalid", message: words });
    await user.type(dialog.getByRole("textbox", { name: "Name" }), "Endless");
    await user.click(dialog.getByRole("button", { name: "Save view" }));
    await dialog.findByText(words);
    expect(app.settings.savedViews).toEqual([]);
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

  it("is about the key of the details there, whatever is ticked", async () => {
    const user = userEvent.setup();
    await fireEvent.click(screen.getByRole("checkbox", { name: "Select argo-prod" }));
    row("nightly-backup").focus();
    await user.keyboard("{Enter}");
    const details = screen.getByRole("region", { name: "Key details" });
    await waitFor(() => expect(details.contains(document.activeElement)).toBe(true));
    await user.keyboard("e");
    expect(app.dialogs.shown[0]).toMatchObject({ kind: "edit", key: { name: "nightly-backup" } });
    app.dialogs.close(app.dialogs.shown[0]!.id);
    await user.keyboard("{Control>}c{/Control}");
    await screen.findByText("The value of nightly-backup is not on this computer.");
  });

  it("hears what a pick in the tray could not do", async () => {
    host.emit("go", { kind: "told", title: "ci was not revoked", body: "Sign in first." });
    const toasts = within(screen.getByRole("region", { name: "Notifications" }));
    await toasts.findByText("ci was not revoked.");
    toasts.getByText("Sign in first.");
  });

  it("is about nothing where the search hides the current key", async () => {
    const user = userEvent.setup();
    expect(app.keys?.currentKey?.name).toBe("ci-prod");
    await user.type(screen.getByRole("searchbox", { name: "Search keys" }), "is:never");
    const marked = () => document.querySelectorAll('[role="row"].current');
    expect(marked(), "no other row looks like the one in the details").toHaveLength(0);
    expect(app.keys?.targets).toEqual([]);
    await user.keyboard("{Control>}k{/Control}");
    const palette = within(await screen.findByRole("dialog", { name: "Commands" }));
    expect(palette.queryByRole("option", { name: /^Revoke/ })).toBeNull();
    await user.keyboard("{Escape}{ArrowDown}");
    await waitFor(() => expect(marked()).toHaveLength(1));
    expect(app.keys?.targets.map(({ name }) => name)).toEqual(["legacy-jenkins"]);
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

  it.each(["Keys", "Review", "Activity", "Settings"])(
    "goes to %s from the palette",
    async (name) => {
      const user = userEvent.setup();
      app.go({ kind: name === "Keys" ? "settings" : "keys" });
      await user.keyboard("{Control>}k{/Control}");
      const palette = within(await screen.findByRole("dialog", { name: "Commands" }));
      await user.type(palette.getByRole("combobox", { name: "Command" }), `go to ${name}{Enter}`);
      await waitFor(() => expect(app.route.kind).toBe(name.toLowerCase()));
    },
  );

  it("does not lead from the palette to a review that there is none of", async () => {
    app.review = null;
    app.paletteOpen = true;
    const palette = within(await screen.findByRole("dialog", { name: "Commands" }));
    palette.getByRole("option", { name: "Go to Activity" });
    expect(palette.queryByRole("option", { name: "Go to Review" })).toBeNull();
  });
});

describe("the focus", () => {
  const inList = () => waitFor(() => expect(document.activeElement?.role).toBe("row"));

  it("goes to the list when the act that had it is gone", async () => {
    await open();
    const user = userEvent.setup();
    const details = () => within(screen.getByRole("region", { name: "Key details" }));
    await details().findByRole("heading", { name: "ci-prod" });
    expect(app.keys?.currentKey?.mine, "its revocation asks nothing").toBe(true);
    await user.click(details().getByRole("button", { name: "Revoke" }));
    await details().findByRole("button", { name: "Re-activate" });
    await inList();
  });

  it("goes to the list when the selection or the filter that had it is cleared", async () => {
    await open();
    const user = userEvent.setup();
    await user.click(screen.getByRole("checkbox", { name: "Select ci-prod" }));
    await user.click(screen.getByRole("button", { name: "Clear selection" }));
    await inList();
    flushSync(() =>
      app.openKeys("Two keys", app.keys?.rows.slice(0, 2).map(({ key }) => key) ?? [], false),
    );
    await user.click(screen.getAllByRole("button", { name: "Show all keys" })[0]!);
    expect(app.keys?.only).toBeNull();
    await inList();
  });

  it("stays nowhere when a person put it nowhere", async () => {
    await open();
    row("ci-prod").focus();
    row("ci-prod").blur();
    host.keysChanged();
    await new Promise((done) => setTimeout(done, 200));
    expect(document.activeElement).toBe(document.body);
  });

  it("goes to the list that a finding opens, which begins at its top and ends with Esc", async () => {
    await open({ size: 200 });
    const user = userEvent.setup();
    app.keys!.scrolled = 2_000;
    app.go({ kind: "review" });
    await screen.findByRole("heading", { name: "Review", level: 1 });
    const some = app.keys!.rows.slice(0, 100).map(({ key }) => key);
    flushSync(() => app.openKeys("A hundred keys", some, true));
    await screen.findByRole("grid", { name: "API keys" });
    expect(app.keys?.scrolled).toBe(0);
    await inList();
    await user.keyboard("{Escape}");
    expect(app.keys?.selected).toHaveLength(0);
    expect(app.keys?.only).not.toBeNull();
    await user.keyboard("{Escape}");
    expect(app.keys?.only).toBeNull();
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

  it("calls offline only what the network keeps away", async () => {
    await open({ state: "offline", problem: { code: "notPalette", message: "A web page came." } });
    await screen.findByText("What answered is not Palette.");
    screen.getByText(/^A web page came\. You see the keys as of \d\d:\d\d\.$/);
    within(screen.getByRole("status", { name: "Status" })).getByText(
      /^Not refreshed, as of \d\d:\d\d$/,
    );
    expect(screen.queryByText(/Offline/)).toBeNull();
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

  it("says that keys could not be understood, and what to do", async () => {
    await open({ skipped: 2 });
    const alert = within(
      (await screen.findByText("2 keys could not be understood and are not shown.")).closest(
        '[role="alert"]',
      ) as HTMLElement,
    );
    alert.getByText(/^They may work, and nothing here counts or warns of them\. Look at all keys/);
  });

  it("says the same of one key, and nothing when all were understood", async () => {
    await open({ skipped: 1 });
    await screen.findByText("1 key could not be understood and is not shown.");
    screen.getByText(/^It may work, and nothing here counts or warns of it\./);
    cleanup();
    await open();
    expect(screen.queryByText(/could not be understood/)).toBeNull();
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

  it("creates again what was lost for the same owner", async () => {
    await open({ lost: true });
    const user = userEvent.setup();
    await user.click(await screen.findByRole("button", { name: "Revoke it and create again" }));
    const dialog = within(await screen.findByRole("dialog", { name: "New API key" }));
    const value = (role: string, name: string) =>
      dialog.getByRole<HTMLInputElement>(role, { name }).value;
    expect(value("textbox", "API key name")).toBe("nightly-backup");
    expect(value("textbox", "Description")).toBe("Velero on the backup host");
    expect(value("combobox", "User name")).toBe("Ana Ruiz");
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

describe("several connections", () => {
  const press = (keys: string) => userEvent.setup().keyboard(keys);

  it("are switched by their number, and each is found as it was left", async () => {
    await open();
    const first = app.keys;
    await fireEvent.click(screen.getByRole("checkbox", { name: "Select ci-prod" }));
    if (first) first.search = "ci-";
    await press("{Control>}2{/Control}");
    await screen.findByRole("button", { name: "Connection: lab" });
    expect([app.keys?.connection, app.keys?.search, app.keys?.selected.length]).toEqual([
      "lab",
      "",
      0,
    ]);
    await press("{Control>}1{/Control}");
    await screen.findByRole("button", { name: "Connection: acme" });
    expect(app.keys).toBe(first);
    expect([app.keys?.search, app.keys?.selected.map(({ name }) => name)]).toEqual([
      "ci-",
      ["ci-prod"],
    ]);
  });

  it("leave the last one picked as the open one, however quickly", async () => {
    await open();
    await waitFor(() => expect(app.entering).toBe(false));
    const before = host.calls.length;
    const release = host.hold("list_keys");
    void app.enter("lab");
    const back = app.enter("acme");
    release();
    await back;
    await waitFor(() => expect(app.entering).toBe(false));
    const picked = host.calls.slice(before).filter(({ name }) => name === "select_connection");
    expect(picked.map(({ request }) => request)).toEqual([{ connection: "acme" }]);
    expect(app.keys?.connection).toBe("acme");
  });

  it("never show a key of the other one, nor a form about one", async () => {
    await open();
    const release = host.hold("list_keys");
    app.dialogs.open({
      kind: "delete",
      keys: app.keys?.rows.slice(0, 1).map(({ key }) => key) ?? [],
    });
    await screen.findByRole("dialog", { name: "Delete API key" });
    host.emit("go", { kind: "connection", connection: "lab" });
    await screen.findByRole("button", { name: "Connection: lab" });
    await waitFor(() =>
      expect(screen.queryByRole("dialog", { name: "Delete API key" })).toBeNull(),
    );
    expect(screen.queryByRole("row", { name: /Select ci-prod / })).toBeNull();
    release();
  });

  it("leave a question and a roll with the connection that they are about", async () => {
    await open();
    const [first] = app.keys?.rows ?? [];
    if (!first || !app.keys) throw new Error("no rows");
    const of = app.keys;
    app.keys.askRoll(first.key);
    app.dialogs.confirm({
      title: "Sure?",
      lines: [],
      action: "Yes",
      tone: "danger",
      onConfirm() {},
    });
    await screen.findByRole("alertdialog", { name: "Sure?" });
    host.emit("go", { kind: "connection", connection: "lab" });
    await screen.findByRole("button", { name: "Connection: lab", hidden: true });
    const dialog = within(screen.getByRole("alertdialog", { name: "Sure?" }));
    dialog.getByText("Connection: acme");
    expect(app.dialogs.shown.map(({ kind }) => kind)).toEqual(["roll", "confirm"]);
    expect(app.dialogs.shown[0]).toMatchObject({ list: of });
    screen.getByRole("dialog", { name: "Roll API key", hidden: true });
  });

  it("are told each of their own changes alone", async () => {
    await open();
    // The shell counts the changes of all connections together.
    const list = app.keys?.list;
    if (!list) throw new Error("no list");
    host.answer("list_keys", ({ connection }) => ({
      ...list,
      since: null,
      revision: connection === "acme" ? 1_001 : 3,
    }));
    host.emit("keys-changed", { connection: "acme", revision: 1_000 });
    await waitFor(() => expect(app.keys?.list?.revision).toBe(1_001));
    host.emit("keys-changed", { connection: "acme", revision: 1_001 });
    await app.enter("lab");
    await waitFor(() => expect(app.entering || app.keys?.refreshing).toBe(false));
    await new Promise((done) => setTimeout(done, 1_200));
    const before = host.calls.length;
    await new Promise((done) => setTimeout(done, 100));
    const asked = host.calls.slice(before).filter(({ name }) => name === "list_keys");
    expect(asked.length, "one list after the other, without an end").toBeLessThan(2);
  });

  it("can be added while one that does not answer is being opened", async () => {
    await open();
    const release = host.hold("select_connection");
    const slow = app.enter("lab");
    const [, made] = host.connections;
    if (!made) throw new Error("no connection");
    await app.joined({
      connection: { ...made, id: "third", name: "third" },
      keychain: host.keychain,
    });
    expect(app.entering).toBe(false);
    release();
    await slow;
    expect([app.entering, app.activeId]).toEqual([false, "third"]);
  });

  it("names the connection, with its colour, in what cannot be undone", async () => {
    await open();
    app.keys?.askDelete(app.keys.rows.slice(0, 1).map(({ key }) => key));
    const dialog = within(await screen.findByRole("dialog", { name: "Delete API key" }));
    const tag = dialog.getByText("Connection: acme").parentElement;
    expect(tag?.className).toContain(app.active?.colour);
  });
});
