import type { Commands, Events } from "./generated/commands";
import type { ErrorCode, ErrorDetails, ErrorView } from "./generated/types";
import type { Host } from "./host";
import { tauri } from "./tauri";

export type * from "./generated/types";
export type { Commands, Events } from "./generated/commands";
export type { Host } from "./host";

/** A command that did not do what was asked. `message` says what was and was not changed. */
export class CallError extends Error {
  readonly code: ErrorCode;
  readonly details: ErrorDetails | null;

  constructor(view: ErrorView) {
    super(view.message);
    this.name = "CallError";
    this.code = view.code;
    this.details = view.details;
  }

  /** The same as plain data. */
  get view(): ErrorView {
    return { code: this.code, message: this.message, details: this.details };
  }
}

/** Any thrown thing as a failure the window has words for. */
export function toFailure(thrown: unknown): ErrorView {
  if (thrown instanceof CallError) return thrown.view;
  if (isErrorView(thrown)) return thrown;
  // The words of an unknown error may quote anything, so they are not shown.
  return { code: "internal", message: "Palette Keys met an error of its own.", details: null };
}

function isErrorView(thrown: unknown): thrown is ErrorView {
  return (
    typeof thrown === "object" &&
    thrown !== null &&
    typeof (thrown as ErrorView).code === "string" &&
    typeof (thrown as ErrorView).message === "string"
  );
}

let host: Host = tauri;

/** Puts something else behind the window; only tests and the development page do. */
export function standIn(other: Host): void {
  host = other;
}

/** Asks the shell for one command. Rejects with a `CallError`, never with anything else. */
export async function call<K extends keyof Commands>(
  name: K,
  request: Commands[K]["request"],
): Promise<Commands[K]["view"]> {
  try {
    return (await host.call(name, request)) as Commands[K]["view"];
  } catch (thrown) {
    throw new CallError(toFailure(thrown));
  }
}

/** Hears one event of the shell until the returned function is called. */
export function listen<K extends keyof Events>(
  event: K,
  handler: (payload: Events[K]) => void,
): Promise<() => void> {
  return host.listen(event, (payload) => handler(payload as Events[K]));
}

/** Names one press of a button, so that a second call with it joins the first. */
export function newOpId(): string {
  return crypto.randomUUID();
}
