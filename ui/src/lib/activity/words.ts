import type { Act, ActivityView, ActState } from "../ipc";

/** What was done, as it is said when it worked and when it did not. `*` stands for the name. */
const ACTS: Record<Act, { done: string; todo: string }> = {
  connect: { done: "Connected to *", todo: "connect to *" },
  signIn: { done: "Signed in to *", todo: "sign in to *" },
  removeConnection: { done: "Removed the connection *", todo: "remove the connection *" },
  create: { done: "Created *", todo: "create *" },
  edit: { done: "Edited *", todo: "edit *" },
  renew: { done: "Renewed *", todo: "renew *" },
  revoke: { done: "Revoked *", todo: "revoke *" },
  reactivate: { done: "Re-activated *", todo: "re-activate *" },
  delete: { done: "Deleted *", todo: "delete *" },
  copy: { done: "Copied the value of *", todo: "copy the value of *" },
  reveal: { done: "Showed the value of *", todo: "show the value of *" },
  saveToKeychain: { done: "Saved * to the keychain", todo: "save * to the keychain" },
  saveToFile: { done: "Saved * to a file", todo: "save * to a file" },
};

/** Acts on a connection and not on a key. */
const OF_CONNECTION: ReadonlySet<Act> = new Set<Act>(["connect", "signIn", "removeConnection"]);

/** How a line ended: tone of its badge and one word. */
export const OUTCOMES: Record<ActState, { tone: "ok" | "bad" | "warn"; word: string }> = {
  done: { tone: "ok", word: "Done" },
  failed: { tone: "bad", word: "Failed" },
  unknown: { tone: "warn", word: "Not known" },
  asked: { tone: "warn", word: "Not confirmed" },
};

/** A sentence in three parts, so that the name can be set apart: before, name, after. */
export function sentenceOf(line: ActivityView): [before: string, name: string, after: string] {
  const { done, todo } = ACTS[line.act];
  const name = OF_CONNECTION.has(line.act)
    ? line.connectionName
    : (line.keyName ?? (line.keyUid ? `…${line.keyUid.slice(-6)}` : "a key"));
  const sentence =
    line.state === "done"
      ? done
      : line.state === "failed"
        ? `Could not ${todo}`
        : `Asked to ${todo}`;
  const [before = "", after = ""] = sentence.split("*");
  return [before, name, after];
}
