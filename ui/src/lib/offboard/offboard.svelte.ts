import { call, toFailure } from "../ipc";
import type {
  ErrorView,
  HeldView,
  KeyView,
  OwnerState,
  PersonView,
  Replacement,
  ReportFormat,
} from "../ipc";
import type { Keys } from "../keys/keys.svelte";
import { count } from "../numbers";

/** Somebody whose keys can be put in order. */
export interface Leaver {
  /** The uid, else the name: one of the two is always there. */
  id: string;
  uid: string;
  name: string;
  email: string | null;
  state: OwnerState;
  keys: readonly KeyView[];
}

/** What "Offboard a person" works on. */
export interface OffboardStart {
  keys: Keys;
  /** Chosen from the start. */
  person: { uid: string; name: string } | null;
  /** This computer's clock. */
  now: () => number;
}

/** "Offboard a person": their keys, replacements for a successor, revocation, report. */
export class Offboard {
  readonly #keys: Keys;
  readonly #now: () => number;

  #personId = $state("");
  successorUid = $state("");
  /** Keys made in place of theirs, in this sitting. */
  replacements = $state.raw<readonly Replacement[]>([]);
  saving = $state(false);
  problem = $state.raw<ErrorView | null>(null);
  /** The file the last report went to. */
  saved = $state<string | null>(null);

  /** When the person was chosen, and which keys they had then: deleted ones are reported too. */
  #since = 0;
  #hadAtFirst: readonly string[] = [];

  constructor({ keys, person, now }: OffboardStart) {
    this.#keys = keys;
    this.#now = now;
    if (person) this.choose(person.uid || person.name);
  }

  /** Everybody who owns a key or may have one: those who are gone first, then by name. */
  people = $derived.by<readonly Leaver[]>(() => {
    const found = new Map<string, Leaver & { keys: KeyView[] }>();
    for (const { key } of this.#keys.rows) {
      const id = key.ownerUid || key.ownerName;
      if (id === "") continue;
      const known = found.get(id);
      if (known) known.keys.push(key);
      else
        found.set(id, {
          id,
          uid: key.ownerUid,
          name: key.ownerName || `Person …${key.ownerUid.slice(-6)}`,
          email: key.ownerEmail,
          state: key.ownerState,
          keys: [key],
        });
    }
    for (const { uid, name, email } of this.#keys.list?.people ?? []) {
      if (!found.has(uid))
        found.set(uid, { id: uid, uid, name: name || email, email, state: "active", keys: [] });
    }
    const first = ({ state }: Leaver) => (state === "gone" ? 0 : state === "inactive" ? 1 : 2);
    return [...found.values()].sort(
      (a, b) => first(a) - first(b) || a.name.localeCompare(b.name, "en"),
    );
  });

  get personId(): string {
    return this.#personId;
  }

  /** Whose keys are put in order. */
  choose(id: string): void {
    if (id === this.#personId) return;
    this.#personId = id;
    this.replacements = [];
    this.saved = null;
    this.problem = null;
    this.#since = this.#now();
    this.#hadAtFirst = this.keys.map(({ uid }) => uid);
    if (this.successorUid === this.person?.uid) this.successorUid = "";
  }

  person = $derived(this.people.find(({ id }) => id === this.#personId) ?? null);
  /** Keys that work come first, the next to end at the top. */
  keys = $derived(
    [...(this.person?.keys ?? [])].sort(
      (a, b) =>
        Number(!works(a)) - Number(!works(b)) ||
        (a.expires ?? Infinity) - (b.expires ?? Infinity) ||
        a.name.localeCompare(b.name, "en"),
    ),
  );
  /** Those that can still be used. */
  working = $derived(this.keys.filter((key) => works(key) && !this.#keys.isOut(key)));
  /** Those of them that the caller may put out of service. */
  revocable = $derived(this.working.filter((key) => this.#keys.mayUpdate(key)));

  /** Who may get keys. */
  successors = $derived.by<readonly PersonView[]>(() =>
    (this.#keys.list?.people ?? []).filter(({ uid }) => uid !== this.person?.uid),
  );
  successor = $derived(this.successors.find(({ uid }) => uid === this.successorUid) ?? null);
  /** Keys the successor may still get; none: the limit is not known. */
  room = $derived.by(() => {
    const quota = this.#keys.list?.quota ?? null;
    return quota === null || !this.successor ? null : Math.max(0, quota - this.successor.keys);
  });
  /** Working keys without a replacement. */
  unreplaced = $derived(
    this.working.filter(({ uid }) => !this.replacements.some(({ old }) => old === uid)),
  );

  /** What there is room for, in words. */
  get roomWords(): string {
    const { successor, room } = this;
    if (!successor) return "Choose who takes over, to make replacements.";
    if (room === null) return `How many keys ${successor.name} may have is not known.`;
    const needed = this.unreplaced.length;
    const words = `${successor.name} has ${successor.keys} of ${successor.keys + room} keys`;
    if (room === 0) return `${words}: no room for another.`;
    if (room < needed)
      return `${words}: room for ${room}, but ${needed} ${needed === 1 ? "key has" : "keys have"} no replacement.`;
    return `${words}: room for ${room} more.`;
  }

  /** What replaces a key. */
  replacementOf(key: KeyView): KeyView | null {
    const uid = this.replacements.find(({ old }) => old === key.uid)?.new;
    return uid === undefined ? null : this.#keys.find(uid);
  }

  /** True while the successor can get one more. */
  get mayReplace(): boolean {
    return this.successor !== null && this.room !== 0;
  }

  /** A key was made in place of another. */
  replaced(old: KeyView, { uid }: HeldView): void {
    if (uid === null) return;
    this.replacements = [
      ...this.replacements.filter((pair) => pair.old !== old.uid),
      { old: old.uid, new: uid },
    ];
    this.saved = null;
  }

  /** Revokes every key of theirs that works, after one question that names what is left out. */
  revoke(): void {
    this.saved = null;
    this.#keys.revoke(this.working);
  }

  /** Where a key matters, as far as it is known: never whether it is used. */
  traces(key: KeyView): string {
    return [
      key.madeBy === null ? "" : `made by ${key.madeBy}`,
      key.flags.includes("inKeychain") ? "stored on this computer" : "",
      key.flags.includes("signsIn") ? "signs Palette Keys in" : "",
    ]
      .filter((part) => part !== "")
      .join(", ");
  }

  /** What is known of the person, and what follows from it. */
  get stateWords(): string {
    const { person } = this;
    if (!person) return "";
    const keys =
      person.keys.length === 0
        ? "has no API keys"
        : `has ${count(person.keys.length, "API key")}, ${this.working.length} of them working`;
    const state = {
      gone: "is not among the people of this tenant any more. Keys go on working until they are revoked or end",
      inactive: "may not sign in any more. Keys go on working until they are revoked or end",
      active: "may still sign in and make keys: look again once the account is removed",
      unknown: "may or may not be in this tenant: the people could not be read",
    }[person.state];
    return `${person.name} ${keys}, and ${state}.`;
  }

  /** Writes the report; true when it is saved. */
  async report(format: ReportFormat): Promise<boolean> {
    const { person } = this;
    if (!person || this.saving) return false;
    this.saving = true;
    this.problem = null;
    try {
      const { file } = await call("export_offboard_report", {
        connection: this.#keys.connection,
        format,
        personUid: person.uid,
        name: person.name,
        email: person.email,
        uids: [...this.#hadAtFirst],
        successorUid: this.replacements.length > 0 ? this.successorUid || null : null,
        replacements: [...this.replacements],
        since: this.#since,
      });
      this.saved = file;
      return true;
    } catch (thrown) {
      const problem = toFailure(thrown);
      if (problem.code !== "cancelled") this.problem = problem;
      return false;
    } finally {
      this.saving = false;
    }
  }
}

function works({ status }: KeyView): boolean {
  return status === "active" || status === "expiring";
}
