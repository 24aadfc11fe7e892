import type { Act, ActivityView, ActState } from "../ipc";
import { endOf, short } from "../keys/names";

/** What was done, as it is said when it worked and when it did not. `*` stands for the name. */
const ACTS: Record<Act, { done: string; todo: string }> = {
  connect: { done: "Connected to *", todo: "connect to *" },
  signIn: { done: "Signed in to *", todo: "sign in to *" },
  removeConnection: { done: "Removed the connection *", todo: "remove the connection *" },
  editConnection: { done: "Changed the way to *", todo: "change the way to *" },
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
  exportReport: { done: "Exported a report of *", todo: "export a report of *" },
  accept: { done: "Kept * as it is", todo: "keep * as it is" },
  takeBack: { done: "Put * back up for review", todo: "put * back up for review" },
  tryFound: { done: "Tried the found value of *", todo: "try the found value of *" },
  roll: { done: "Rolled *", todo: "roll *" },
  replace: { done: "* took another key's place", todo: "put * in another key's place" },
  rollProve: { done: "Tried the new value of *", todo: "try the new value of *" },
  rollSwap: { done: "Palette Keys signs in with *", todo: "sign in with *" },
  rollEnd: { done: "Moved the end of *", todo: "move the end of *" },
  rollCancel: { done: "Kept *, cancelling its roll", todo: "cancel the roll of *" },
};

/** The same where it took back a change of fields. */
const CHANGED_BACK = { done: "Changed * back", todo: "change * back" };

/** Acts on a connection and not on a key. */
const OF_CONNECTION: ReadonlySet<Act> = new Set<Act>([
  "connect",
  "signIn",
  "removeConnection",
  "editConnection",
]);

/** How a line ended: tone of its badge and one word. */
export const OUTCOMES: Record<ActState, { tone: "ok" | "bad" | "warn" | "mute"; word: string }> = {
  done: { tone: "ok", word: "Done" },
  failed: { tone: "bad", word: "Failed" },
  cancelled: { tone: "mute", word: "Cancelled" },
  unknown: { tone: "warn", word: "Not known" },
  asked: { tone: "warn", word: "Not confirmed" },
};

/** A sentence in three parts, so that the name can be set apart: before, name, after. */
export function sentenceOf(line: ActivityView): [before: string, name: string, after: string] {
  const { done, todo } =
    line.act === "edit" && line.undoes !== null ? CHANGED_BACK : ACTS[line.act];
  const name = nameOf(line);
  const sentence =
    line.state === "done"
      ? done
      : `${{ failed: "Could not", cancelled: "Began to", asked: "Asked to", unknown: "Asked to" }[line.state]} ${todo}`;
  const [before = "", after = ""] = sentence.split("*");
  return [before, name, after];
}

function nameOf(line: ActivityView): string {
  if (OF_CONNECTION.has(line.act)) return short(line.connectionName);
  if (line.keyName !== null) return short(line.keyName);
  return line.keyUid ? endOf(line.keyUid) : "a key";
}

/** What undoing a line does: "re-activate ci-prod". */
export function undoWords(line: ActivityView): string {
  const name = nameOf(line);
  if (line.act === "revoke") return `re-activate ${name}`;
  if (line.act === "reactivate") return `revoke ${name}`;
  return `change ${name} back`;
}

/** A button that takes back what a line began and what still runs. */
export interface WayBack {
  text: string;
  /** The accessible name, with what it is about. */
  label: string;
  busy: boolean;
  run: () => void;
}
