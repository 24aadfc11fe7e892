import type { Act, ActivityView, ActState } from "../ipc";

/** What was done, as a key's history says it. */
const done: Record<Act, string> = {
  connect: "Connected",
  signIn: "Signed in",
  removeConnection: "Connection removed",
  create: "Created",
  edit: "Edited",
  renew: "Renewed",
  revoke: "Revoked",
  reactivate: "Re-activated",
  delete: "Deleted",
  copy: "Copied",
  reveal: "Revealed",
  saveToKeychain: "Saved to keychain",
  saveToFile: "Saved to a file",
};

const ending: Record<ActState, string> = {
  done: "",
  asked: ", no answer yet",
  failed: ", not done",
  unknown: ", not confirmed",
};

/** "Revoked", "Renewed, not done". */
export function historyWords({ act, state }: Pick<ActivityView, "act" | "state">): string {
  return `${done[act]}${ending[state]}`;
}
