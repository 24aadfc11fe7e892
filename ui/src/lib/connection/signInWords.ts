import type { ConnectionView, KeyView } from "../ipc";
import { short } from "../keys/names";
import { relative } from "../keys/time";

/** "Signs in with palette-keys on lark, ends in 21 days, renews itself" */
export function signInWords(
  { method, signIn, demo }: Pick<ConnectionView, "method" | "signIn" | "demo">,
  now: number,
  renewing: boolean,
): string {
  if (method === "password") return "Signs in with your password, for each session anew";
  if (signIn.uid === null) {
    return demo ? "Signs in with a key of the demo tenant" : "It is not known which key signs in";
  }
  const name = signIn.name === null ? "a key that is not in the list" : short(signIn.name);
  const ends =
    signIn.expires === null
      ? ""
      : signIn.expires <= now
        ? ", which has ended"
        : `, ends ${relative(signIn.expires, now)}`;
  return `Signs in with ${name}${ends}${signIn.renews && renewing ? ", renews itself" : ""}`;
}

/** The caller's own keys that work: one of them signs in. Those that end last come first. */
export function signInCandidates(keys: readonly KeyView[]): KeyView[] {
  const end = ({ expires }: KeyView) => expires ?? Number.MAX_SAFE_INTEGER;
  return keys
    .filter((key) => key.mine && (key.status === "active" || key.status === "expiring"))
    .sort((a, b) => end(b) - end(a) || a.name.localeCompare(b.name));
}
