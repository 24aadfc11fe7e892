import type { Act, ActivityView, ActState } from "../ipc";

/** What was done, as a key's history says it. */
const done: Record<Act, string> = {
  connect: "Connected",
  signIn: "Signed in",
  removeConnection: "Connection removed",
  editConnection: "Connection changed",
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
  exportReport: "Reported",
  accept: "Kept as it is",
  takeBack: "Up for review again",
  tryFound: "Tried as a found value",
  roll: "Rolled",
  replace: "Took another key's place",
  rollProve: "New value tried",
  rollSwap: "Signs this app in",
  rollEnd: "End moved",
  rollCancel: "Roll cancelled",
};

const ending: Record<ActState, string> = {
  done: "",
  asked: ", no answer yet",
  failed: ", not done",
  cancelled: ", cancelled",
  unknown: ", not confirmed",
};

/** "Revoked", "Renewed, not done". */
export function historyWords({
  act,
  state,
  undoes,
}: Pick<ActivityView, "act" | "state" | "undoes">): string {
  const words = act === "edit" && undoes !== null ? "Changed back" : done[act];
  return `${words}${ending[state]}`;
}
