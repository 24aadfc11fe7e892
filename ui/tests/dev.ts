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

const asked = new URLSearchParams(location.search);
const number = (name: string) => (asked.has(name) ? Number(asked.get(name)) : undefined);
const began = performance.now();
const now = () => NOW + (performance.now() - began);

const host = fakeHost({
  size: number("size"),
  keys: asked.has("empty") ? [] : undefined,
  person: (asked.get("person") ?? "admin") as FakeOptions["person"],
  first: asked.has("first"),
  state: (asked.get("state") ?? "signedIn") as FakeOptions["state"],
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
