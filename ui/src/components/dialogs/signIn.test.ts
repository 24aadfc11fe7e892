import { configure, render, screen, waitFor, within } from "@testing-library/svelte";
import userEvent, { type UserEvent } from "@testing-library/user-event";
import axe from "axe-core";
import { describe, expect, it, vi } from "vitest";
import { fakeHost, NOW, type FakeHost } from "../../../tests/fake-host";
import AppWindow from "../../App.svelte";
import "../../later";
import { App } from "../../lib/app.svelte";
import { signInCandidates, signInWords } from "../../lib/connection/signInWords";
import { standIn, type KeyView } from "../../lib/ipc";

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

const sent = (name: string) => host.calls.filter((each) => each.name === name);
const key = (name: string): KeyView => {
  const found = app.keys?.list?.keys.find((each) => each.name === name);
  if (!found) throw new Error(`no key ${name}`);
  return found;
};

async function violations(): Promise<string[]> {
  const dialog = screen.queryByRole("dialog") ?? screen.getByRole("alertdialog");
  const { violations } = await axe.run(dialog, { rules: { "color-contrast": { enabled: false } } });
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
}

const unknown = { uid: null, name: null, expires: null, own: false, renews: false };
const GUARD = "This key signs Palette Keys in to acme";

describe("the guard", () => {
  it("stops a revocation, and asks a second time before it is meant", async () => {
    await open();
    app.keys?.revoke([key("palette-keys on lark")]);
    const stopped = within(await screen.findByRole("alertdialog", { name: GUARD }));
    expect(sent("revoke_key"), "nothing was sent").toEqual([]);
    expect(await violations()).toEqual([]);
    await user.click(stopped.getByRole("button", { name: "Revoke anyway…" }));
    const second = await screen.findByRole("alertdialog", { name: "Revoke it and be signed out?" });
    expect(await violations()).toEqual([]);
    expect(sent("revoke_signing_key")).toEqual([]);
    await user.click(within(second).getByRole("button", { name: "Revoke and sign out" }));
    await waitFor(() => expect(sent("revoke_signing_key")).toHaveLength(1));
    expect(sent("revoke_key")).toEqual([]);
  });

  it("leads back without anything done", async () => {
    await open();
    app.keys?.askDelete([key("palette-keys on lark")]);
    const stopped = within(await screen.findByRole("alertdialog", { name: GUARD }));
    await user.click(stopped.getByRole("button", { name: "Go back" }));
    await waitFor(() => expect(screen.queryByRole("alertdialog")).toBeNull());
    expect(sent("revoke_signing_key").length + sent("delete_key").length).toBe(0);
  });

  it("is shown when core knows better than the list", async () => {
    await open();
    host.fail("revoke_key", { code: "signsThisAppIn" });
    app.keys?.revoke([key("ci-prod")]);
    await screen.findByRole("alertdialog", { name: GUARD });
  });

  it("leaves the key out of what is done to several, with a word", async () => {
    await open();
    app.keys?.revoke([key("ci-prod"), key("palette-keys on lark")]);
    const question = await screen.findByRole("alertdialog", { name: "Revoke ci-prod?" });
    within(question).getByText("1 signs Palette Keys in");
    within(question).getByText("palette-keys on lark");
    await user.click(within(question).getByRole("button", { name: "Revoke" }));
    await waitFor(() => expect(sent("revoke_key")).toHaveLength(1));
    expect(host.keys.find(({ name }) => name === "palette-keys on lark")?.status).not.toBe(
      "revoked",
    );
  });
});

describe("which key signs in", () => {
  it("is asked once and can be put away", async () => {
    await open({ signIn: { ...unknown, asks: true } });
    await screen.findByText("Which of your keys signs Palette Keys in?");
    await user.click(screen.getByRole("button", { name: "Not now" }));
    await waitFor(() => expect(screen.queryByText(/Which of your keys/)).toBeNull());
    expect(sent("change_sign_in")[0]?.request).toEqual({
      connection: "acme",
      change: { kind: "notKnown" },
    });
  });

  it("is chosen among the own keys that work", async () => {
    await open({ signIn: { ...unknown, asks: true } });
    await user.click(await screen.findByRole("button", { name: "Choose…" }));
    const dialog = await screen.findByRole("dialog", {
      name: "Which of your keys signs Palette Keys in?",
    });
    const radios = within(dialog).getAllByRole("radio");
    const able = signInCandidates(app.keys?.list?.keys ?? []);
    expect(radios).toHaveLength(able.length + 1);
    expect(await violations()).toEqual([]);
    await user.click(within(dialog).getByRole("radio", { name: /ci-prod/ }));
    await user.click(within(dialog).getByRole("checkbox", { name: /Renew it by itself/ }));
    await user.click(within(dialog).getByRole("button", { name: "Save" }));
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
    expect(
      sent("change_sign_in").map(({ request }) => (request as { change: unknown }).change),
    ).toEqual([
      { kind: "key", uid: key("ci-prod").uid },
      { kind: "renew", on: true },
    ]);
  });
});

describe("a key of the app's own", () => {
  it("is offered after a password, and made", async () => {
    await open({ method: "password", signIn: { ...unknown, offers: true } });
    await user.click(await screen.findByRole("button", { name: "Make a key…" }));
    const dialog = await screen.findByRole("dialog", { name: "Sign in without your password" });
    expect(await violations()).toEqual([]);
    host.fail("make_own_key", { code: "quotaFull", message: "No key was made." });
    await user.click(within(dialog).getByRole("button", { name: "Make the key" }));
    await within(dialog).findByText(/No key was made/);
    host.fail("make_own_key", null);
    await user.click(within(dialog).getByRole("button", { name: "Make the key" }));
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
    expect(screen.queryByRole("button", { name: "Make a key…" })).toBeNull();
    expect(app.active?.method).toBe("apiKey");
  });
});

describe("words", () => {
  it("say how a connection signs in", async () => {
    await open();
    const active = app.active;
    if (!active) throw new Error("no connection");
    const words = (part: Partial<typeof active>, on = true) =>
      signInWords({ ...active, ...part }, NOW, on);
    expect(words({})).toBe("Signs in with palette-keys on lark, ends in 26 days, renews itself");
    expect(words({}, false)).toBe("Signs in with palette-keys on lark, ends in 26 days");
    expect(words({ signIn: { ...active.signIn, ...unknown } })).toBe(
      "It is not known which key signs in",
    );
    expect(words({ method: "password" })).toBe(
      "Signs in with your password, for each session anew",
    );
  });
});
