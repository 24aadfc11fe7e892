import { call, newOpId, toFailure } from "../ipc";
import type { EditBase, ErrorView, KeyView, Settings } from "../ipc";
import { ExpiryField } from "../create/expiryField.svelte";
import { nameProblem, outsidePolicy, sameName, type FormPolicy } from "../create/keyName";
import type { Keys } from "../keys/keys.svelte";

/** The list the key is in: changes go through it, so that it shows them. */
export type EditedList = Pick<Keys, "connection" | "list" | "edit">;

/** What a key is edited from. */
export interface EditStart {
  keys: EditedList;
  key: KeyView;
  settings: Settings;
  /** What the organization asks; none: not read yet. */
  policy?: FormPolicy | null;
}

/** A field that two people changed, or one of them. */
export interface Difference {
  field: "name" | "description" | "expires";
  base: string | number | null;
  theirs: string | number | null;
  yours: string | number | null;
}

/** "Edit API key": reads the key again first, and never overwrites a change it has not shown. */
export class EditKey {
  name = $state("");
  description = $state("");
  readonly expiry: ExpiryField;
  /** The key as the server has it now; none until it was read. */
  key = $state.raw<KeyView | null>(null);
  /** Someone changed it since it was read. */
  theirs = $state.raw<KeyView | null>(null);
  busy = $state(false);
  problem = $state.raw<ErrorView | null>(null);
  /** Why it could not be read; none: it was, or is being read. Nothing is saved before it was. */
  unread = $state.raw<ErrorView | null>(null);

  readonly #start: EditStart;
  readonly #done: () => void;
  /** What the person saw of each field before changing it. */
  #base = $state.raw<EditBase>({ name: "", description: "", expires: null });
  #speaks = $state(false);

  constructor(start: EditStart, done: () => void) {
    this.#start = start;
    this.#done = done;
    this.#base = baseOf(start.key);
    this.name = start.key.name;
    this.description = start.key.description;
    this.expiry = new ExpiryField({
      connection: start.keys.connection,
      days: start.settings.defaultExpirationDays,
      longest: start.settings.longestLifeDays,
      keep: true,
    });
    void this.read();
  }

  /**
   * Reads the key again, so that the fields show what is true now. What was typed meanwhile stays,
   * and so does what it was typed over: a change of somebody else's to that is asked about.
   */
  async read(): Promise<void> {
    this.unread = null;
    try {
      const key = await call("read_key", {
        connection: this.#start.keys.connection,
        uid: this.#start.key.uid,
      });
      const was = this.#base;
      const base = baseOf(key);
      if (this.name === was.name) this.name = key.name;
      else base.name = was.name;
      if (this.description === was.description) this.description = key.description;
      else base.description = was.description;
      if (!this.expiry.keeps) base.expires = was.expires;
      this.key = key;
      this.#base = base;
    } catch (thrown) {
      this.unread = toFailure(thrown);
    }
  }

  get nameError(): string | null {
    if (this.problem && NAME_CODES.has(this.problem.code)) return this.problem.message;
    const typed = nameProblem(this.name);
    if (typed) return this.#speaks || this.name.trim() !== "" ? typed : null;
    if (!this.key || this.name.trim() === this.key.name) return null;
    const outside = outsidePolicy(this.name, this.#start.policy ?? null);
    if (outside) return outside;
    const taken = sameName(
      this.name,
      this.key.ownerUid,
      this.#start.keys.list?.keys ?? [],
      this.key.uid,
    );
    return taken ? "The owner already has a key with this name." : null;
  }

  get descriptionError(): string | null {
    const removed = this.key?.description.trim() !== "" && this.description.trim() === "";
    if (this.key && removed && this.#start.policy?.descriptionRequired)
      return "The policy wants a description: say what the key is for.";
    return this.problem && DESCRIPTION_CODES.has(this.problem.code) ? this.problem.message : null;
  }

  get expiryError(): ErrorView | null {
    if (this.expiry.problem) return this.expiry.problem;
    return this.problem?.code.startsWith("expiry") ? this.problem : null;
  }

  /** What belongs to no field. */
  get generalProblem(): ErrorView | null {
    if (!this.problem || NAME_CODES.has(this.problem.code)) return null;
    if (DESCRIPTION_CODES.has(this.problem.code) || this.problem.code.startsWith("expiry")) {
      return null;
    }
    return this.problem;
  }

  get isChanged(): boolean {
    return (
      this.name.trim() !== this.#base.name ||
      this.description.trim() !== this.#base.description ||
      !this.expiry.keeps
    );
  }

  /** Both versions, field by field; only fields that somebody changed. */
  get differences(): Difference[] {
    const theirs = this.theirs;
    if (!theirs) return [];
    const yours: EditBase = {
      name: this.name.trim(),
      description: this.description.trim(),
      expires: this.expiry.keeps ? theirs.expires : (this.expiry.end?.at ?? null),
    };
    const all = (["name", "description", "expires"] as const).map((field) => ({
      field,
      base: this.#base[field],
      theirs: theirs[field],
      yours: yours[field],
    }));
    return all.filter(({ base, theirs, yours }) => theirs !== base || yours !== base);
  }

  /** A field was changed: what the server said of it no longer holds. */
  edited(): void {
    this.problem = null;
  }

  async save(): Promise<void> {
    if (this.busy || !this.key) return;
    this.#speaks = true;
    this.problem = null;
    if (this.nameError ?? this.descriptionError) return;
    await this.#send();
  }

  /** Sends your changes over theirs. What you did not touch stays as they left it. */
  async saveMine(): Promise<void> {
    if (this.busy || !this.theirs) return;
    this.problem = null;
    this.#base = baseOf(this.theirs);
    await this.#send();
  }

  /** Gives up your changes; the list already shows theirs. */
  useTheirs(): void {
    this.#done();
  }

  async #send(): Promise<void> {
    this.busy = true;
    try {
      if (!(await this.expiry.resolve())) return;
      const view = await this.#start.keys.edit(newOpId(), this.#start.key.uid, this.#base, {
        name: this.name.trim(),
        description: this.description.trim(),
        expiry: this.expiry.choice,
      });
      if (view.kind === "saved") {
        this.#done();
        return;
      }
      // A field you left alone follows theirs: "Save mine" then undoes nothing of theirs unseen.
      if (this.name.trim() === this.#base.name) this.name = view.theirs.name;
      if (this.description.trim() === this.#base.description) {
        this.description = view.theirs.description;
      }
      this.theirs = view.theirs;
    } catch (thrown) {
      this.problem = toFailure(thrown);
    } finally {
      this.busy = false;
    }
  }
}

const NAME_CODES: ReadonlySet<string> = new Set([
  "nameEmpty",
  "nameTooLong",
  "nameHasControlCharacters",
  "nameTaken",
  "nameOutsidePolicy",
]);

const DESCRIPTION_CODES: ReadonlySet<string> = new Set([
  "descriptionTooLong",
  "descriptionMissing",
]);

function baseOf(key: KeyView): EditBase {
  return { name: key.name, description: key.description, expires: key.expires };
}
