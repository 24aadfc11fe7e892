/**
 * The window in an ordinary browser, on the fake host: `npm run dev`, then
 * http://127.0.0.1:5173/tests/dev.html?theme=dark&size=6000&state=offline&run=…
 */
import { mount } from "svelte";
import AppWindow from "../src/App.svelte";
import { App } from "../src/lib/app.svelte";
import { standIn } from "../src/lib/ipc";
import "../src/styles/all";
import { fakeHost, NOW, type Fault, type FakeOptions } from "./fake-host";
import { tenantKeys } from "./fake-tenant";

const asked = new URLSearchParams(location.search);
const number = (name: string) => (asked.has(name) ? Number(asked.get(name)) : undefined);
const began = performance.now();
const now = () => NOW + (performance.now() - began);

/** A record in each state there is, for `outbox=mixed`; only the first so many for `outbox=N`. */
const records: NonNullable<FakeOptions["outbox"]> = [
  {
    keyUid: "66e844c44bab2337f20c7471",
    askedAt: NOW - 95_000,
    attempts: 3,
    problem: {
      code: "hostUnreachable",
      message: "api.spectrocloud.com could not be reached.",
      details: null,
    },
    nextTryAt: NOW + 40_000,
  },
  {
    keyUid: tenantKeys()[1]?.uid,
    askedAt: NOW - 3_600_000,
    attempts: 7,
    state: "blocked",
    problem: {
      code: "unauthorized",
      message: "Palette no longer takes the sign-in of acme, so the revocation was not sent.",
      details: {
        status: 401,
        serverCode: "InvalidCredentials",
        serverMessage: "authentication failed",
        reference: "5b1f0c9e-42",
      },
    },
    nextTryAt: NOW + 840_000,
  },
  { keyUid: tenantKeys()[3]?.uid, askedAt: NOW - 4_000, attempts: 1, state: "accepted" },
  {
    keyUid: tenantKeys()[8]?.uid,
    action: "delete",
    askedAt: NOW - 86_400_000,
    recorded: false,
    attempts: 2,
    problem: { code: "serverFault", message: "Palette had a fault of its own.", details: null },
    nextTryAt: NOW + 200_000,
  },
];
const outbox = asked.get("outbox") === "mixed" ? records : records.slice(0, number("outbox") ?? 0);

const host = fakeHost({
  outbox,
  damaged: asked.has("damaged")
    ? ["A record of 20 Nov was written by a newer Palette Keys. It is kept as it is."]
    : [],
  sentElsewhere: asked.has("elsewhere"),
  background: asked.has("bare")
    ? {
        trayHost: false,
        noticeHost: null,
        loginProblem: "This desktop has no folder for programs that start at login.",
      }
    : asked.has("paused")
      ? { pausedUntil: NOW + 3_600_000 }
      : {},
  sends: asked.has("sends") ? number("sends") : 120,
  size: number("size"),
  keys: asked.has("empty") ? [] : undefined,
  person: (asked.get("person") ?? "admin") as FakeOptions["person"],
  first: asked.has("first"),
  state: (asked.get("state") ?? "signedIn") as FakeOptions["state"],
  problem: asked.has("problem")
    ? {
        code: (asked.get("problem") ?? "notPalette") as Fault["code"],
        message: "What answers at api.spectrocloud.com does not look like Palette.",
      }
    : undefined,
  keychain: (asked.get("keychain") ?? "ready") as FakeOptions["keychain"],
  demo: asked.has("demo"),
  inMemoryOnly: asked.has("memory"),
  appearance: (asked.get("theme") ?? "system") as FakeOptions["appearance"],
  lost: asked.has("lost"),
  held: asked.has("held"),
  delay: number("delay"),
  now,
});
if (asked.has("fail")) {
  host.fail((asked.get("fail") ?? "list_keys") as never, {
    code: (asked.get("code") ?? "serverFault") as Fault["code"],
    message: "Palette answered with an error. Nothing was changed.",
    details: {
      status: 503,
      serverCode: "Unavailable",
      serverMessage: "upstream",
      reference: "a1b2c3",
    },
  });
}
standIn(host);

const app = new App(now);
mount(AppWindow, { target: document.body, props: { app } });

/** For scripts that look at one state: each step is a role, a name and what is done. */
Object.assign(window, { app, host });
const route = asked.get("route");
if (route) setTimeout(() => app.go({ kind: route as "keys" }), 50);
const dialog = asked.get("dialog");
if (dialog) setTimeout(() => app.dialogs.open({ kind: dialog as "outbox" }), 300);
const focused = asked.get("key");
if (focused)
  setTimeout(() => void app.goTo({ kind: "key", connection: "acme", uid: focused }), 200);
const bulk = number("bulk");
if (bulk) {
  setTimeout(() => {
    app.keys?.revoke(
      app.keys.shown
        .slice(0, bulk + 1)
        .map(({ key }) => key)
        .filter(({ flags }) => !flags.includes("signsIn")),
    );
    const [question] = app.dialogs.shown;
    if (question?.kind !== "confirm") return;
    app.dialogs.close(question.id);
    question.onConfirm();
  }, 500);
}
const scroll = number("scroll");
if (scroll) setTimeout(() => document.querySelector(".sections")?.scrollTo(0, scroll), 400);
/** `roll=form`, `roll=other`, `roll=done`, `roll=running` and `roll=stuck`: the stations of a roll. */
const roll = asked.get("roll");
if (roll) {
  const named = (name: string) => host.keys.find((each) => each.name === name);
  const old = named(roll === "other" ? "argo-prod" : "atlantis");
  if (roll === "stuck") host.fail("roll_key", { code: "quotaFull", message: "No key was made." });
  setTimeout(() => old && void app.goTo({ kind: "roll", connection: "acme", uid: old.uid }), 300);
  const press = (name: string) =>
    [...document.querySelectorAll<HTMLButtonElement>('[role="dialog"] button')]
      .find((button) => button.textContent?.trim() === name)
      ?.click();
  if (roll !== "form" && roll !== "other") setTimeout(() => press("Roll"), 1_200);
  if (roll === "running") setTimeout(() => press("Done"), 1_800);
}
