import type { ErrorCode, ErrorView } from "./ipc";

/** How a failure is presented. Its own message says what was and was not changed. */
export interface Presentation {
  /** What happened, in a few plain words. */
  title: string;
  /** One thing to do about it; none where the message, which Rust makes, says that too. */
  next: string | null;
}

/** Complete on purpose: a code that Rust adds does not compile here until it has words. */
const presentations: Record<ErrorCode, Presentation> = {
  addressEmpty: { title: "No address yet", next: "Type the address of your Palette." },
  addressInvalid: {
    title: "That is not an address",
    next: "Paste the address you open Palette with in the browser.",
  },
  addressHasCredentials: {
    title: "The address holds a user name or password",
    next: "Leave it out of the address and sign in below.",
  },
  addressNotSecure: {
    title: "That address is not secure",
    next: "Use https://. Plain http is only for this computer.",
  },
  keyMalformed: {
    title: "That does not look like an API key",
    next: null,
  },
  credentialRejected: {
    title: "Palette did not accept the sign-in",
    next: null,
  },
  mfaRequired: {
    title: "This account signs in with a second factor",
    next: null,
  },
  organizationNeeded: {
    title: "Which organization?",
    next: null,
  },
  notSignedIn: { title: "You are not signed in", next: null },
  connectionUnknown: { title: "That connection is gone", next: "Choose another connection." },
  connectionExists: {
    title: "This connection already exists",
    next: "Open it from the list of connections.",
  },
  certificateInvalid: {
    title: "The CA certificate could not be read",
    next: null,
  },
  proxyInvalid: {
    title: "The proxy's address is not usable",
    next: null,
  },
  hostUnreachable: { title: "Palette cannot be reached", next: null },
  hostUnknown: {
    title: "No such host",
    next: null,
  },
  timedOut: { title: "Palette took too long to answer", next: null },
  tlsUntrusted: {
    title: "The server's certificate is not trusted",
    next: null,
  },
  proxyFailed: {
    title: "The proxy did not let us through",
    next: null,
  },
  redirectRefused: {
    title: "The server points somewhere else",
    next: null,
  },
  notPalette: { title: "What answered is not Palette", next: null },
  answerUnreadable: { title: "Palette's answer could not be read", next: null },
  answerTooLarge: { title: "The answer is too large", next: null },
  rateLimited: { title: "Palette asks for a pause", next: null },
  serverFault: { title: "Palette had a fault of its own", next: null },
  unauthorized: { title: "The sign-in is no longer valid", next: null },
  forbidden: {
    title: "Palette does not allow this",
    next: "Ask a tenant admin for the permission.",
  },
  keyGone: { title: "This key no longer exists", next: "Refresh the list." },
  refused: { title: "Palette refused", next: null },
  nameEmpty: { title: "The key needs a name", next: "Type a name." },
  nameTooLong: { title: "The name is too long", next: "Shorten the name." },
  nameHasControlCharacters: {
    title: "The name holds characters that cannot be seen",
    next: "Type the name instead of pasting it.",
  },
  nameTaken: { title: "There is already a key with this name", next: "Choose another name." },
  descriptionTooLong: { title: "The description is too long", next: "Shorten the description." },
  nameOutsidePolicy: {
    title: "The policy wants another name",
    next: "Choose a name that fits the pattern.",
  },
  descriptionMissing: { title: "The policy wants a description", next: "Say what it is for." },
  reasonInvalid: { title: "Why is this fine?", next: "Write a reason." },
  untilInvalid: { title: "Until when?", next: "Choose a day in the coming year." },
  findingGone: { title: "This finding is gone", next: "The review is up to date." },
  policyInvalid: {
    title: "This is not a good policy file",
    next: "Mend the line, or choose another file.",
  },
  expiryMissing: { title: "When should it end?", next: "Choose an expiration date." },
  expiryPast: { title: "That time has passed", next: "Choose a later time." },
  expiryTooFar: { title: "That is too far away", next: "Choose an earlier date." },
  expiryNotATime: { title: "That is not a date and time", next: "Check the date and the time." },
  expirySkippedByClockChange: {
    title: "That time does not exist",
    next: "The clocks go forward then. Choose another time.",
  },
  expiryBeyondPolicy: {
    title: "That is longer than allowed",
    next: "Choose an earlier date, or change the longest life in Settings or the policy.",
  },
  quotaFull: {
    title: "No key left",
    next: "Delete a key that is no longer needed, then try again.",
  },
  ownerUnknown: { title: "That person is not known", next: "Choose someone from the list." },
  nameMismatch: { title: "That does not match", next: "Type it exactly as shown." },
  keyIsExpired: { title: "This key has expired", next: "Renew it first." },
  notReversible: {
    title: "That cannot be undone",
    next: "Change the key itself instead.",
  },
  rollRunning: {
    title: "A roll is not over yet",
    next: "Let it end, or cancel it in the key's details.",
  },
  rollOver: { title: "This roll is over", next: "Refresh the list." },
  rollNotPossible: { title: "This key cannot be rolled now", next: null },
  rollValueLost: {
    title: "A key was made whose value nobody has",
    next: "Cancel the roll, then roll again.",
  },
  rollValueUnsure: {
    title: "Does anybody have the new value?",
    next: "Go on if somebody has it, else cancel the roll.",
  },
  rollNotProved: {
    title: "The new key does not work",
    next: "Try again, or cancel the roll.",
  },
  rollNewKeyGone: {
    title: "The new key is gone",
    next: "Cancel the roll: the old key goes on.",
  },
  rollOldKeyEnded: { title: "The old key has ended", next: "The new key is in its place." },
  rollEndChanged: { title: "Somebody moved the old key's end", next: null },
  graceTooLong: { title: "The old key cannot go on for that long", next: null },
  revocationsOpen: {
    title: "Revocations still need this connection",
    next: "Wait until they are confirmed, or give them up.",
  },
  signsThisAppIn: {
    title: "This key signs Palette Keys in",
    next: "Roll it instead: the new key takes over before this one ends.",
  },
  outcomeUnknown: {
    title: "Not confirmed yet",
    next: null,
  },
  valueGone: {
    title: "The value is no longer held",
    next: "Revoke the key and create a new one.",
  },
  valueNotKept: {
    title: "The value is not kept anywhere yet",
    next: "Copy it or save it first.",
  },
  valueNotStored: {
    title: "The value of this key is not on this computer",
    next: "Only keys saved to the keychain can be copied.",
  },
  clipboardFailed: { title: "The clipboard could not be used", next: "Try again." },
  fileFailed: { title: "The file could not be written", next: "Choose another place." },
  cancelled: { title: "Stopped", next: null },
  keychainAbsent: {
    title: "No keychain is running",
    next: "Start a keychain such as GNOME Keyring or KeePassXC, then try again.",
  },
  keychainLocked: { title: "The keychain is locked", next: "Unlock it and try again." },
  keychainDismissed: {
    title: "The keychain's question was dismissed",
    next: "Try again and answer it.",
  },
  keychainWaiting: {
    title: "The keychain waits for an answer",
    next: "Look for its window; it may be behind this one.",
  },
  keychainItemMissing: {
    title: "The keychain no longer has this entry",
    next: "Sign in again, or create a new key.",
  },
  keychainAmbiguous: {
    title: "The keychain has several such entries",
    next: "Remove the extra entries in your keychain's own app.",
  },
  keychainFailed: { title: "The keychain did not work", next: "Try again." },
  storeFailed: {
    title: "Palette Keys could not write to its own folder",
    next: "Check free space and rights of your home folder.",
  },
  settingInvalid: {
    title: "That value is not allowed",
    next: "Choose a value in the range shown.",
  },
  appLocked: { title: "Palette Keys is locked", next: null },
  notRecognised: { title: "You were not recognised", next: null },
  internal: { title: "Something went wrong in Palette Keys", next: "Try again." },
};

/** The words for a code. */
export function present(code: ErrorCode): Presentation {
  return presentations[code];
}

/** The one thing to do about a failure; none where its message says it already. */
export function nextStep({ code, message }: Pick<ErrorView, "code" | "message">): string | null {
  const { next } = present(code);
  return next === null || message.includes(next) ? null : next;
}

/** Codes that say the network, not the request, was at fault. */
const networkCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "hostUnreachable",
  "hostUnknown",
  "timedOut",
  "proxyFailed",
]);

/** True when the same request may well work once the network is back. */
export function isNetwork(code: ErrorCode): boolean {
  return networkCodes.has(code);
}

const keychainCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "keychainAbsent",
  "keychainLocked",
  "keychainDismissed",
  "keychainWaiting",
  "keychainItemMissing",
  "keychainAmbiguous",
  "keychainFailed",
]);

/** True when the keychain is what stands in the way. */
export function isKeychain(code: ErrorCode): boolean {
  return keychainCodes.has(code);
}
