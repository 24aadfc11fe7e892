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

/** What the policy asks of a key, as far as forms show it. */
export interface FormPolicy {
  namePattern: string | null;
  descriptionRequired: boolean;
  longestLifeDays: number | null;
}

/**
 * What the policy has against a typed name; none: nothing. Core reads the pattern by its own
 * grammar and has the last word: one that this page cannot read says nothing here.
 */
export function outsidePolicy(typed: string, policy: FormPolicy | null): string | null {
  const name = typed.trim();
  if (name === "" || !policy?.namePattern) return null;
  let whole: RegExp;
  try {
    whole = new RegExp(`^(?:${policy.namePattern})$`, "u");
  } catch {
    return null;
  }
  return whole.test(name) ? null : `The policy wants names like ${policy.namePattern}.`;
}
