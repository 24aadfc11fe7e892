import { fireEvent, render, screen } from "@testing-library/svelte";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { fakeHost, type FakeHost } from "../../tests/fake-host";
import { standIn } from "../lib/ipc";
import Reveal from "./Reveal.svelte";
import { Revealed } from "./revealed.svelte";

const VALUE = "fake-value-of-the-fake-host";
let host: FakeHost;

beforeEach(() => {
  host = fakeHost();
  standIn(host);
});
afterEach(() => vi.useRealTimers());

const called = (name: string) => host.calls.filter((each) => each.name === name).length;

it("shows the one value, its name and how long", async () => {
  render(Reveal, { revealed: new Revealed() });
  expect(await screen.findByText(VALUE)).toBeTruthy();
  expect(screen.getByRole("heading", { name: "ci-prod" })).toBeTruthy();
  expect(screen.getByRole("timer").textContent).toBe("Closes in 30 s");
});

it("hides the value while another window is in front, until asked", async () => {
  render(Reveal, { revealed: new Revealed() });
  await screen.findByText(VALUE);
  await fireEvent.blur(window);
  expect(screen.queryByText(VALUE)).toBeNull();
  await fireEvent.click(screen.getByRole("button", { name: "Show again" }));
  expect(screen.getByText(VALUE)).toBeTruthy();
});

it("copies in Rust and says so", async () => {
  render(Reveal, { revealed: new Revealed() });
  await fireEvent.click(await screen.findByRole("button", { name: "Copy" }));
  expect(called("reveal_copy")).toBe(1);
  expect((await screen.findByText(/^Copied/u)).getAttribute("role")).toBe("status");
});

it("drops the value on Close and on Esc", async () => {
  render(Reveal, { revealed: new Revealed() });
  await screen.findByText(VALUE);
  await fireEvent.keyDown(window, { key: "Escape" });
  expect(screen.queryByText(VALUE)).toBeNull();
  expect(called("reveal_close")).toBe(1);
});

it("closes by itself when the time is over", async () => {
  vi.useFakeTimers();
  let now = 0;
  const revealed = new Revealed(() => now);
  await revealed.take();
  now = 29_000;
  await vi.advanceTimersByTimeAsync(250);
  expect([revealed.secondsLeft, called("reveal_close")]).toEqual([1, 0]);
  now = 30_001;
  await vi.advanceTimersByTimeAsync(250);
  expect([revealed.view, called("reveal_close")]).toEqual([null, 1]);
});

it("says why there is nothing to show", async () => {
  host.fail("reveal_take", { code: "valueGone" });
  render(Reveal, { revealed: new Revealed() });
  expect((await screen.findByRole("alert")).textContent).toContain("The value is no longer held");
});
