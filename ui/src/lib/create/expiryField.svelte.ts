import { call, toFailure } from "../ipc";
import type { ErrorView, ExpiryChoice, ExpiryView } from "../ipc";

/** Lives every person is offered, in days. */
const PRESETS = [7, 30, 60, 90];

/** Wait for a pause in typing, in milliseconds. */
const PAUSE = 150;

/** What an expiry field starts from. */
export interface ExpiryStart {
  /** Its server clock counts; none: this computer's. */
  connection: string | null;
  /** Days preselected, from the settings. */
  days: number;
  /** Longest life a new key may get; none: no limit of our own. */
  longest: number | null;
  /** Offer to keep the end as it is, and start there. */
  keep?: boolean;
}

/** One segment of "Expiration date". */
export interface ExpiryOption {
  value: string;
  label: string;
}

/** "Expiration date": presets, a typed date and time, and what they come to. */
export class ExpiryField {
  readonly options: ExpiryOption[];
  /** Value of the chosen option: "keep", a number of days, or "custom". */
  chosen = $state("30");
  /** As typed, such as `2027-01-12`. */
  date = $state("");
  /** As typed, such as `18:00`. */
  time = $state("");
  /** What the choice comes to; none while it is not known or not a time. */
  end = $state<ExpiryView | null>(null);
  problem = $state<ErrorView | null>(null);

  readonly #connection: string | null;
  #turn = 0;
  #pause: ReturnType<typeof setTimeout> | undefined;

  constructor({ connection, days, longest, keep = false }: ExpiryStart) {
    this.#connection = connection;
    // The longest life is one press away too.
    const lives = [...new Set([...PRESETS, days, ...(longest === null ? [] : [longest])])]
      .filter((life) => longest === null || life <= longest)
      .sort((one, other) => one - other);
    this.options = [
      ...(keep ? [{ value: "keep", label: "Keep" }] : []),
      ...lives.map((life) => ({
        value: String(life),
        label: life === 1 ? "1 day" : `${life} days`,
      })),
      { value: "custom", label: "Custom" },
    ];
    const preselected = String(Math.min(days, lives.at(-1) ?? days));
    this.chosen = keep ? "keep" : lives.length > 0 ? preselected : "custom";
    void this.resolve();
  }

  /** What is asked of the server; none: keep the end as it is. */
  get choice(): ExpiryChoice | null {
    if (this.chosen === "keep") return null;
    if (this.chosen === "custom") {
      return { kind: "at", date: this.date.trim(), time: this.time.trim() };
    }
    return { kind: "days", days: Number(this.chosen) };
  }

  get keeps(): boolean {
    return this.chosen === "keep";
  }

  get isCustom(): boolean {
    return this.chosen === "custom";
  }

  choose(value: string): void {
    if (value === "custom" && this.date === "") this.#startFromEnd();
    this.chosen = value;
    void this.resolve();
  }

  /** After a keystroke in date or time. */
  typed(): void {
    clearTimeout(this.#pause);
    this.#pause = setTimeout(() => void this.resolve(), PAUSE);
  }

  /** Asks what the choice comes to. True when it is a time a key may end at. */
  async resolve(): Promise<boolean> {
    clearTimeout(this.#pause);
    const turn = ++this.#turn;
    const choice = this.choice;
    if (!choice) {
      this.end = null;
      this.problem = null;
      return true;
    }
    try {
      const end = await call("resolve_expiry", { connection: this.#connection, choice });
      if (turn !== this.#turn) return true;
      this.end = end;
      this.problem = null;
      return true;
    } catch (thrown) {
      if (turn === this.#turn) {
        this.end = null;
        this.problem = toFailure(thrown);
      }
      return false;
    }
  }

  /** Stops what is still to come; the dialog is gone. */
  close(): void {
    clearTimeout(this.#pause);
    this.#turn++;
  }

  /** A typed date starts from what was chosen before, so that it shows its format. */
  #startFromEnd(): void {
    if (!this.end) {
      this.time = "18:00";
      return;
    }
    const end = new Date(this.end.at);
    const two = (part: number) => String(part).padStart(2, "0");
    this.date = `${end.getFullYear()}-${two(end.getMonth() + 1)}-${two(end.getDate())}`;
    this.time = `${two(end.getHours())}:${two(end.getMinutes())}`;
  }
}
