import { call, newOpId, toFailure } from "../ipc";
import type {
  ConnectionView,
  CreateView,
  ErrorCode,
  ErrorView,
  HeldView,
  KeychainView,
  KeyListView,
  LostCreationView,
  PersonView,
  Settings,
} from "../ipc";
import { present } from "../errors";
import { ExpiryField } from "./expiryField.svelte";
import { nameProblem, outsidePolicy, sameName, type FormPolicy } from "./keyName";

/** What a new key is made from; read again whenever it changes. */
export interface CreateFacts {
  connection: ConnectionView;
  list: KeyListView | null;
  settings: Settings;
  keychain: KeychainView;
  /** What the organization asks; none: not read yet. */
  policy?: FormPolicy | null;
}

/** What the fields start with. */
export interface CreateStart {
  name?: string;
  description?: string;
  ownerUid?: string;
}

/** Failures that belong to one field and are said there. */
const FIELDS: Partial<Record<ErrorCode, "name" | "description" | "owner" | "expiry">> = {
  nameEmpty: "name",
  nameTooLong: "name",
  nameHasControlCharacters: "name",
  nameTaken: "name",
  nameOutsidePolicy: "name",
  descriptionMissing: "description",
  descriptionTooLong: "description",
  ownerUnknown: "owner",
  expiryMissing: "expiry",
  expiryPast: "expiry",
  expiryTooFar: "expiry",
  expiryNotATime: "expiry",
  expirySkippedByClockChange: "expiry",
  expiryBeyondPolicy: "expiry",
};

/** "New API key": what was typed, one press at a time, and what became of it. */
export class CreateKey {
  name = $state("");
  description = $state("");
  ownerUid = $state("");
  readonly expiry: ExpiryField;
  busy = $state(false);
  /** Why nothing was made. Everything typed stays. */
  problem = $state.raw<ErrorView | null>(null);
  /** The answer was lost, and the lists show that nothing was made. */
  notCreated = $state.raw<{ cause: ErrorView | null } | null>(null);
  /** A creation whose answer never came. */
  lost = $state.raw<LostCreationView | null>(null);

  readonly #facts: () => CreateFacts;
  readonly #made: (held: HeldView) => void;
  #savesOwn = $state(true);
  #savesOther = $state(false);
  /** The name field speaks up after the first try or once it was left. */
  #speaks = $state(false);

  constructor(facts: () => CreateFacts, made: (held: HeldView) => void, start: CreateStart = {}) {
    this.#facts = facts;
    this.#made = made;
    const { connection, settings } = facts();
    this.name = start.name ?? "";
    this.description = start.description ?? "";
    this.ownerUid = start.ownerUid ?? connection.identity?.userUid ?? "";
    this.expiry = new ExpiryField({
      connection: connection.id,
      days: settings.defaultExpirationDays,
      longest: settings.longestLifeDays,
    });
  }

  /** People it may be made for; empty where only the caller may have it. */
  get people(): readonly PersonView[] {
    const { connection, list } = this.#facts();
    return connection.identity?.mayCreateForOthers ? (list?.people ?? []) : [];
  }

  get owner(): PersonView | null {
    return this.people.find((person) => person.uid === this.ownerUid) ?? null;
  }

  get isOwn(): boolean {
    const own = this.#facts().connection.identity?.userUid;
    return this.people.length === 0 || this.ownerUid === own;
  }

  /** Keys the owner has now. */
  get keysOfOwner(): number | null {
    const { list } = this.#facts();
    if (!list) return null;
    return this.isOwn ? list.ownKeys : (this.owner?.keys ?? null);
  }

  /** "8 of 20 keys used afterwards". */
  get room(): { text: string; isFull: boolean } {
    const quota = this.#facts().list?.quota ?? null;
    const keys = this.keysOfOwner;
    if (quota === null || keys === null) return { text: "Limit unknown", isFull: false };
    if (keys >= quota) return { text: `All ${quota} keys are used`, isFull: true };
    return { text: `${keys + 1} of ${quota} keys used afterwards`, isFull: false };
  }

  get nameError(): string | null {
    if (FIELDS[this.problem?.code ?? "internal"] === "name") return this.#said();
    const typed = nameProblem(this.name);
    if (typed) return this.#speaks || this.name.trim() !== "" ? typed : null;
    const outside = outsidePolicy(this.name, this.#facts().policy ?? null);
    if (outside) return outside;
    const taken = sameName(this.name, this.ownerUid || null, this.#facts().list?.keys ?? []);
    if (!taken) return null;
    return this.isOwn
      ? "You already have a key with this name."
      : `${this.owner?.name ?? "This person"} already has a key with this name.`;
  }

  /** The policy wants one. */
  get needsDescription(): boolean {
    return this.#facts().policy?.descriptionRequired ?? false;
  }

  get descriptionError(): string | null {
    if (this.#speaks && this.needsDescription && this.description.trim() === "")
      return "The policy wants a description: say what the key is for.";
    return FIELDS[this.problem?.code ?? "internal"] === "description" ? this.#said() : null;
  }

  get ownerError(): string | null {
    return FIELDS[this.problem?.code ?? "internal"] === "owner" ? this.#said() : null;
  }

  get expiryError(): ErrorView | null {
    if (this.expiry.problem) return this.expiry.problem;
    return this.problem && FIELDS[this.problem.code] === "expiry" ? this.problem : null;
  }

  /** What belongs to no field. */
  get generalProblem(): ErrorView | null {
    return this.problem && !FIELDS[this.problem.code] ? this.problem : null;
  }

  get saves(): boolean {
    if (this.#facts().keychain.state !== "ready") return false;
    return this.isOwn ? this.#savesOwn : this.#savesOther;
  }

  set saves(wanted: boolean) {
    if (this.isOwn) this.#savesOwn = wanted;
    else this.#savesOther = wanted;
  }

  get maySave(): boolean {
    return this.#facts().keychain.state === "ready";
  }

  /** What the line under "Save to keychain" says. */
  get saveHint(): string {
    const { keychain } = this.#facts();
    if (keychain.state !== "ready") {
      return keychain.advice ?? `${keychain.name} is not ready, so it cannot be saved there.`;
    }
    if (!this.isOwn) {
      return `Off, because ${this.owner?.name ?? "someone else"} will use this key. Tick it to keep a copy in ${keychain.name} too.`;
    }
    return `${keychain.name} on this computer; nothing is written anywhere else`;
  }

  /** The name field was left. */
  leftName(): void {
    if (this.name !== "") this.#speaks = true;
  }

  /** A field was changed: what the server said of it no longer holds. */
  edited(): void {
    if (this.problem && FIELDS[this.problem.code]) this.problem = null;
  }

  /** Makes one key. A second press while the first is under way does nothing. */
  async generate(): Promise<void> {
    if (this.busy) return;
    this.#speaks = true;
    this.problem = null;
    this.notCreated = null;
    if (this.nameError ?? this.descriptionError) return;
    this.busy = true;
    try {
      // A typed date is settled first, so that a slip is said before anything is sent.
      if (this.expiry.isCustom && !(await this.expiry.resolve())) return;
      await this.#create();
    } finally {
      this.busy = false;
    }
  }

  /** Revokes the key nobody has the value of, then makes a new one. */
  async revokeAndCreateAgain(uid: string): Promise<void> {
    if (this.busy || !this.lost) return;
    this.busy = true;
    this.problem = null;
    try {
      if (await this.#settle({ kind: "revoke", uid })) await this.#create();
    } finally {
      this.busy = false;
    }
  }

  /** Reads the lists again. */
  async lookAgain(): Promise<void> {
    if (this.busy || !this.lost) return;
    this.busy = true;
    this.problem = null;
    try {
      if (await this.#settle({ kind: "look" })) this.notCreated = { cause: null };
    } finally {
      this.busy = false;
    }
  }

  /** Leaves every key as it is. True when the creation is settled. */
  async leave(): Promise<boolean> {
    if (this.busy || !this.lost) return false;
    this.busy = true;
    this.problem = null;
    try {
      return await this.#settle({ kind: "leave" });
    } finally {
      this.busy = false;
    }
  }

  async #create(): Promise<void> {
    const { connection } = this.#facts();
    // One press, one id: a second call with it joins the first instead of making another key.
    const opId = newOpId();
    try {
      this.#take(
        await call("create_key", {
          opId,
          connection: connection.id,
          name: this.name.trim(),
          description: this.description.trim(),
          ownerUid: this.isOwn ? null : this.ownerUid,
          expiry: this.expiry.choice ?? { kind: "days", days: 30 },
          saveToKeychain: this.saves,
        }),
      );
    } catch (thrown) {
      this.problem = toFailure(thrown);
    }
  }

  #take(view: CreateView): void {
    if (view.kind === "created") this.#made(view.held);
    else if (view.kind === "notCreated") this.notCreated = { cause: view.problem };
    else this.lost = view.lost;
  }

  async #settle(act: Parameters<typeof settle>[1]): Promise<boolean> {
    if (!this.lost) return false;
    try {
      this.lost = await settle(this.lost.creation, act);
      return this.lost === null;
    } catch (thrown) {
      this.problem = toFailure(thrown);
      return false;
    }
  }

  #said(): string {
    if (!this.problem) return "";
    return this.problem.message || present(this.problem.code).title;
  }
}

/** Settles a lost creation; answers what is still open of it. */
export async function settle(
  creation: string,
  act: { kind: "look" } | { kind: "revoke"; uid: string } | { kind: "leave" },
): Promise<LostCreationView | null> {
  const { lost } = await call("settle_creation", { opId: newOpId(), creation, act });
  return lost;
}
