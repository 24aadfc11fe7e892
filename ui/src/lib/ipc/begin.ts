import { call, type StartView } from "./index";

let early: Promise<StartView> | null = null;

function ask(): Promise<StartView> {
  return call("start", { begins: true });
}

/** Asks where we stand while the page is still being read; {@link askStart} then has the answer. */
export function askEarly(): void {
  early = ask();
  // Whoever takes it is told of a failure.
  early.catch(() => undefined);
}

/** Where we stand, with the keys remembered of the open connection. */
export function askStart(): Promise<StartView> {
  const asked = early ?? ask();
  early = null;
  return asked;
}
