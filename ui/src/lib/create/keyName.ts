import type { KeyView } from "../ipc";

// eslint-disable-next-line no-control-regex -- finding control characters is the point
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/u;

/** What is wrong with a typed name, in words; none: nothing. How long it may be, core knows. */
export function nameProblem(typed: string): string | null {
  const name = typed.trim();
  if (name === "") return "Give the key a name.";
  if (CONTROL.test(name)) return "A name is one line of text, without control characters.";
  return null;
}

/**
 * The key of that owner that already wears the name. A revoked one does not hold it: what replaces
 * it may be called the same.
 */
export function sameName(
  typed: string,
  ownerUid: string | null,
  keys: readonly KeyView[],
  except: string | null = null,
): KeyView | null {
  const name = typed.trim();
  return (
    keys.find(
      (key) =>
        key.status !== "revoked" &&
        key.name.trim() === name &&
        key.ownerUid === ownerUid &&
        key.uid !== except,
    ) ?? null
  );
}
