import { configure, render, screen, waitFor, within } from "@testing-library/svelte";
import userEvent, { type UserEvent } from "@testing-library/user-event";
import axe from "axe-core";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { fakeHost, NOW, type FakeHost } from "../../../tests/fake-host";
import AppWindow from "../../App.svelte";
// Read beforehand: the window reads it once its first screen is painted.
import "../../later";
import { App } from "../../lib/app.svelte";
import { standIn, type KeyView, type RollView } from "../../lib/ipc";
import { actsOn } from "../../lib/keys/acts";

// Whole screens on a busy machine.
configure({ asyncUtilTimeout: 8_000 });
vi.setConfig({ testTimeout: 30_000 });

const DAY = 86_400_000;

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
const listed = (name: string): KeyView => app.keys?.find(key(name).uid) ?? key(name);

async function dialogFor(name: string) {
  app.keys?.askRoll(key(name));
  const dialog = await screen.findByRole("dialog", { name: "Roll API key" });
  await waitFor(() => expect(sent("roll_offer")).not.toHaveLength(0));
  return within(dialog);
}

/** Contrast needs a real browser; the screenshots look at it. */
async function violations(): Promise<string[]> {
  const { violations } = await axe.run(screen.getByRole("dialog", { hidden: true }), {
    rules: { "color-contrast": { enabled: false } },
  });
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
}

describe("Roll API key", () => {
  it("has the names of the contract", async () => {
    const dialog = await dialogFor("ci-prod");
    const group = within(dialog.getByRole("radiogroup", { name: "Old key ends" }));
    const radios = group.getAllByRole<HTMLInputElement>("radio");
    expect(radios.map((radio) => radio.parentElement?.textContent?.trim())).toEqual([
      "Now",
      "1 hour",
      "24 hours",
      "7 days",
      "30 days",
    ]);
    expect(radios[3]?.checked).toBe(true);
    dialog.getByRole("radiogroup", { name: "Expiration date" });
    const name = dialog.getByRole<HTMLInputElement>("textbox", { name: "API key name" });
    await waitFor(() => expect(name.value).toBe("ci-prod-2026-11-23"));
    dialog.getByText(/^\d+ of 20 keys used afterwards$/u);
    dialog.getByRole("button", { name: "Roll" });
    dialog.getByRole("button", { name: "Cancel" });
    expect(await violations()).toEqual([]);
  });

  it("rolls once, says what came of it, and links the two keys", async () => {
    const dialog = await dialogFor("atlantis");
    await user.click(dialog.getByRole("radio", { name: "24 hours" }));
    const release = host.hold("roll_key");
    const button = dialog.getByRole("button", { name: "Roll" });
    await user.dblClick(button);
    await dialog.findByRole("list", { name: "Steps of the roll" });
    release();
    await dialog.findByText(/is in its place$/);
    expect(sent("roll_key")).toHaveLength(1);
    expect(sent("roll_key")[0]?.request).toMatchObject({
      uid: key("atlantis").uid,
      name: "atlantis-2026-11-23",
      grace: "day",
      expiry: { kind: "days", days: 30 },
    });
    dialog.getByRole("heading", { name: "Rolled atlantis" });
    dialog.getByText(/^atlantis ends Tue 24 Nov, .* Until then both work\.$/);
    await user.click(dialog.getByRole("button", { name: "Copy key" }));
    expect(sent("copy_value")[0]?.request).toMatchObject({
      source: { kind: "stored", uid: key("atlantis-2026-11-23").uid },
    });
    expect(await violations()).toEqual([]);
    await user.click(dialog.getByRole("button", { name: "Done" }));
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());

    app.keys?.focus(key("atlantis").uid);
    const details = within(await screen.findByRole("region", { name: "Key details" }));
    const roll = within(await details.findByRole("group", { name: "Roll" }));
    for (const name of ["Extend grace", "End now", "Cancel roll"]) {
      roll.getByRole("button", { name });
    }
    await user.click(roll.getByRole("button", { name: /Replaced by atlantis-2026-11-23/ }));
    expect(app.keys?.current).toBe(key("atlantis-2026-11-23").uid);
    expect(app.keys?.mayRoll(listed("atlantis"))).toBe(false);
  });

  it("keeps what was typed when nothing was made, and says why where it belongs", async () => {
    const dialog = await dialogFor("ci-prod");
    const name = dialog.getByRole<HTMLInputElement>("textbox", { name: "API key name" });
    await user.clear(name);
    await user.type(name, "mine");
    host.fail("roll_key", { code: "nameTaken", message: "Jane Doe already has a key named mine." });
    await user.click(dialog.getByRole("button", { name: "Roll" }));
    await dialog.findByText("Jane Doe already has a key named mine.");
    const again = dialog.getByRole<HTMLInputElement>("textbox", { name: "API key name" });
    await waitFor(() => expect(document.activeElement).toBe(again));
    expect(again.value).toBe("mine");
    host.fail("roll_key", { code: "quotaFull", message: "No room. No key was made." });
    await user.click(dialog.getByRole("button", { name: "Roll" }));
    expect((await dialog.findByRole("alert")).textContent).toContain("No key was made.");
  });

  it("offers no longer life than the policy allows", async () => {
    await waitFor(() => expect(app.policy).not.toBeNull());
    app.policy = app.policy && { ...app.policy, longestLifeDays: 14 };
    const dialog = await dialogFor("ci-prod");
    const group = within(dialog.getByRole("radiogroup", { name: "Expiration date" }));
    expect(
      group.getAllByRole("radio").map((radio) => radio.parentElement?.textContent?.trim()),
    ).toEqual(["7 days", "14 days", "Custom"]);
  });

  it("says at the name that the policy wants another", async () => {
    host.fail("roll_key", { code: "nameOutsidePolicy", message: "The policy wants ci-*." });
    const dialog = await dialogFor("ci-prod");
    await user.click(dialog.getByRole("button", { name: "Roll" }));
    await dialog.findByText("The policy wants ci-*.");
    const name = dialog.getByRole("textbox", { name: "API key name" });
    expect(name.getAttribute("aria-invalid")).toBe("true");
    await waitFor(() => expect(document.activeElement).toBe(name));
  });

  it("says nothing more of an end when another is chosen or typed", async () => {
    const words = "Longer than the policy allows.";
    host.fail("roll_key", { code: "expiryBeyondPolicy", message: words });
    const dialog = await dialogFor("ci-prod");
    await user.click(dialog.getByRole("button", { name: "Roll" }));
    await dialog.findByText(words);
    await user.click(dialog.getByRole("radio", { name: "60 days" }));
    expect(dialog.queryByText(words)).toBeNull();
    await user.click(dialog.getByRole("radio", { name: "Custom" }));
    await user.click(dialog.getByRole("button", { name: "Roll" }));
    await dialog.findByText(words);
    await user.type(dialog.getByRole("textbox", { name: "Time" }), "{Backspace}1");
    expect(dialog.queryByText(words)).toBeNull();
  });

  it("says what is wrong with a typed end, however fast Enter comes", async () => {
    const dialog = await dialogFor("ci-prod");
    await user.click(dialog.getByRole("radio", { name: "Custom" }));
    const date = dialog.getByRole<HTMLInputElement>("textbox", { name: "Date" });
    await user.clear(date);
    host.fail("resolve_expiry", { code: "expiryNotATime", message: "That is not a day." });
    await userEvent.setup({ delay: null }).type(date, "soon{Enter}");
    await dialog.findByText("That is not a day.");
    expect(date.isConnected, "the form was there all the time").toBe(true);
    expect(document.activeElement).toBe(date);
    expect(sent("roll_key")).toHaveLength(0);
  });

  it("says what stands in the way and goes on from there", async () => {
    const old = key("ci-prod");
    const stuck: RollView = {
      roll: "r-1",
      connection: "acme",
      purpose: "ordinary",
      oldUid: old.uid,
      oldName: old.name,
      newUid: key("atlantis").uid,
      newName: "atlantis",
      ownerName: "Jane Doe",
      mine: true,
      step: "ending",
      grace: "week",
      oldEnds: null,
      oldEndedBefore: old.expires,
      problem: { code: "forbidden", message: "The end could not be moved.", details: null },
      held: null,
      mayExtend: false,
      mayEndNow: true,
      mayCancel: true,
      mayContinue: true,
    };
    host.answer("roll_key", () => {
      host.rolls = [stuck];
      return { roll: stuck };
    });
    const dialog = await dialogFor("ci-prod");
    await user.click(dialog.getByRole("button", { name: "Roll" }));
    expect((await dialog.findByRole("alert")).textContent).toContain("The end could not be moved.");
    dialog.getByRole("button", { name: "Cancel roll" });
    dialog.getByText(", failed");
    expect(await violations()).toEqual([]);
    await user.click(dialog.getByRole("button", { name: "End now" }));
    const question = within(await screen.findByRole("alertdialog", { name: "End ci-prod now?" }));
    await user.click(question.getByRole("button", { name: "Cancel" }));
    await waitFor(() => expect(screen.queryByRole("alertdialog")).toBeNull());
    expect(sent("act_on_roll")).toHaveLength(0);
    await user.click(dialog.getByRole("button", { name: "Try again" }));
    await dialog.findByText(/is in its place$/);
    expect(sent("act_on_roll")[0]?.request).toMatchObject({
      roll: "r-1",
      act: { kind: "continue" },
    });
  });

  it("hands somebody else's value over in the Save dialog", async () => {
    const dialog = await dialogFor("argo-prod");
    await dialog.findByText(/The key is Ana Ruiz's/);
    await user.click(dialog.getByRole("button", { name: "Roll" }));
    const save = within(await screen.findByRole("dialog", { name: "Save your API key" }));
    save.getByText("Made for Ana Ruiz; not tried from here");
    expect(screen.queryByRole("dialog", { name: "Roll API key" })).toBeNull();
  });

  it("says that the key signs the app in", async () => {
    const dialog = await dialogFor("palette-keys on lark");
    await dialog.findByText(/This key signs Palette Keys in to acme/);
  });
});

describe("a running roll", () => {
  async function running() {
    app.keys?.focus(key("atlantis").uid);
    const dialog = await dialogFor("atlantis");
    await user.click(dialog.getByRole("button", { name: "Roll" }));
    await user.click(await dialog.findByRole("button", { name: "Done" }));
    app.keys?.focus(key("atlantis").uid);
    const details = within(await screen.findByRole("region", { name: "Key details" }));
    return within(await details.findByRole("group", { name: "Roll" }));
  }

  it("is ended only after a question", async () => {
    const roll = await running();
    await user.click(roll.getByRole("button", { name: "End now" }));
    const question = within(await screen.findByRole("alertdialog", { name: "End atlantis now?" }));
    await user.click(question.getByRole("button", { name: "End now" }));
    await waitFor(() => expect(sent("act_on_roll")).toHaveLength(1));
    expect(sent("act_on_roll")[0]?.request).toMatchObject({ act: { kind: "endNow" } });
    await waitFor(() => expect(listed("atlantis").status).toBe("revoked"));
  });

  it("names its own connection in the question, whichever is open by then", async () => {
    const roll = await running();
    await user.click(roll.getByRole("button", { name: "End now" }));
    await screen.findByRole("alertdialog", { name: "End atlantis now?" });
    host.emit("go", { kind: "connection", connection: "lab" });
    await waitFor(() => expect(app.activeId).toBe("lab"));
    within(screen.getByRole("alertdialog")).getByText("Connection: acme");
  });

  it("is cancelled only after a question", async () => {
    const { expires } = key("atlantis");
    const roll = await running();
    expect(key("atlantis").expires).toBe(NOW + 7 * DAY);
    await user.click(roll.getByRole("button", { name: "Cancel roll" }));
    const question = within(
      await screen.findByRole("alertdialog", { name: "Cancel the roll of atlantis?" }),
    );
    await user.click(question.getByRole("button", { name: "Cancel roll" }));
    await waitFor(() => expect(listed("atlantis").expires).toBe(expires));
    await waitFor(() => expect(screen.queryByRole("group", { name: "Roll" })).toBeNull());
  });
});

describe("where a roll is offered", () => {
  it("is found as rotate, has the key R, and is not offered for a revoked key", async () => {
    const ids = (name: string) => actsOn(app, [key(name)]).map(({ id }) => id);
    const act = actsOn(app, [key("ci-prod")]).find(({ id }) => id === "roll");
    expect(act).toMatchObject({ label: "Roll", keys: "R" });
    expect(act?.words).toContain("rotate");
    expect(ids("leaked-in-slack")).not.toContain("roll");
    expect(actsOn(app, [key("ci-prod"), key("atlantis")]).map(({ id }) => id)).not.toContain(
      "roll",
    );
    app.keys?.focus(key("ci-prod").uid);
    const details = await screen.findByRole("region", { name: "Key details" });
    details.focus();
    await user.keyboard("r");
    await screen.findByRole("dialog", { name: "Roll API key" });
  });

  it("is opened from the tray", async () => {
    host.emit("go", { kind: "roll", connection: "acme", uid: key("ci-prod").uid });
    await screen.findByRole("dialog", { name: "Roll API key" });
  });
});
