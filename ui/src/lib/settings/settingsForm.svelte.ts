import type { Appearance, ErrorCode, ErrorView, Settings } from "../ipc";

/** A setting that is a number, with what it may be. */
export interface NumberSetting {
  least: number;
  most: number;
  /** Empty is allowed and means "no limit", or "never". */
  optional: boolean;
  unit: string;
}

/** The settings that are numbers. */
export type NumberName =
  | "defaultExpirationDays"
  | "leadDays"
  | "longestLifeDays"
  | "clipboardSeconds"
  | "refreshMinutes"
  | "lockAfterMinutes";

/** The settings that are on or off. */
export type FlagName =
  "startAtLogin" | "closeToTray" | "notices" | "weeklyDigest" | "changeNotices" | "renewSignInKey";

/** The days before a key's end at which notices are given. */
export const NOTICE_DAYS = { least: 1, most: 365, many: 10 };

/** The ranges of the contract: core checks them again. */
export const NUMBERS: Record<NumberName, NumberSetting> = {
  defaultExpirationDays: { least: 1, most: 3650, optional: false, unit: "days" },
  leadDays: { least: 1, most: 90, optional: false, unit: "days" },
  longestLifeDays: { least: 1, most: 3650, optional: true, unit: "days" },
  clipboardSeconds: { least: 10, most: 300, optional: false, unit: "seconds" },
  refreshMinutes: { least: 1, most: 120, optional: false, unit: "minutes" },
  lockAfterMinutes: { least: 1, most: 240, optional: true, unit: "minutes" },
};

/** The number that was typed, or what is wrong with it in words. */
export function readNumber(
  typed: string,
  { least, most, optional, unit }: NumberSetting,
): { value: number | null } | { error: string } {
  const text = typed.trim();
  if (text === "" && optional) return { value: null };
  const number = Number(text);
  if (!/^\d{1,6}$/u.test(text) || number < least || number > most) {
    const none = optional ? ", or leave it empty" : "";
    return { error: `Type a whole number of ${unit} from ${least} to ${most}${none}.` };
  }
  return { value: number };
}

/**
 * The days that were typed, latest notice last, or what is wrong with them in words. The order and
 * repetitions are put right instead of complained about.
 */
export function readDays(typed: string): { value: number[] } | { error: string } {
  const { least, most, many } = NOTICE_DAYS;
  const words = typed.split(/[\s,;]+/u).filter((word) => word !== "");
  const days = words.map(Number);
  if (words.some((word) => !/^\d{1,3}$/u.test(word)) || days.some((d) => d < least || d > most)) {
    return { error: `Type whole numbers of days from ${least} to ${most}, with commas between.` };
  }
  const value = [...new Set(days)].sort((a, b) => b - a);
  return value.length > many ? { error: `At most ${many} of them.` } : { value };
}

/** "30, 14, 7, 3, 1" */
export function daysTyped(days: readonly number[]): string {
  return days.join(", ");
}

/** Saves the settings everywhere; answers why not. */
export type SaveSettings = (settings: Settings) => Promise<ErrorView | null>;

/** "Settings": each change is saved at once. */
export class SettingsForm {
  /** As typed; may be wrong for a while. */
  typed = $state<Record<NumberName, string>>({
    defaultExpirationDays: "",
    leadDays: "",
    longestLifeDays: "",
    clipboardSeconds: "",
    refreshMinutes: "",
    lockAfterMinutes: "",
  });
  /** The notice days as typed; may be wrong for a while. */
  typedDays = $state("");
  errors = $state<Partial<Record<NumberName | "noticeDays", string>>>({});
  problem = $state.raw<ErrorView | null>(null);
  /** The setting that was saved last, for its tick. */
  saved = $state<keyof Settings | null>(null);

  readonly #settings: () => Settings;
  readonly #save: SaveSettings;

  constructor(settings: () => Settings, save: SaveSettings) {
    this.#settings = settings;
    this.#save = save;
    const now = settings();
    for (const name of Object.keys(NUMBERS) as NumberName[]) {
      this.typed[name] = now[name] === null ? "" : String(now[name]);
    }
    this.typedDays = daysTyped(now.noticeDays);
  }

  async setAppearance(appearance: Appearance): Promise<void> {
    await this.#put("appearance", { ...this.#settings(), appearance });
  }

  async setFlag(name: FlagName, on: boolean): Promise<void> {
    await this.#put(name, { ...this.#settings(), [name]: on });
  }

  /** The notice days were left, or Enter pressed in them. */
  async setDays(): Promise<void> {
    const read = readDays(this.typedDays);
    if ("error" in read) {
      this.#say("noticeDays", read.error);
      return;
    }
    this.#say("noticeDays", undefined);
    this.typedDays = daysTyped(read.value);
    const now = this.#settings();
    if (this.typedDays === daysTyped(now.noticeDays)) return;
    await this.#put("noticeDays", { ...now, noticeDays: read.value });
  }

  /** A number field was left, or Enter pressed in it. */
  async setNumber(name: NumberName): Promise<void> {
    const read = readNumber(this.typed[name], NUMBERS[name]);
    if ("error" in read) {
      this.#say(name, read.error);
      return;
    }
    this.#say(name, undefined);
    const now = this.#settings();
    if (read.value === now[name]) return;
    const settings = { ...now, [name]: read.value };
    const conflict = tooLong(settings, name);
    if (conflict) this.#say(name, conflict);
    else await this.#put(name, settings);
  }

  async #put(name: keyof Settings, settings: Settings): Promise<void> {
    this.problem = null;
    const failure = await this.#save(settings);
    if (!failure) this.saved = name;
    else if (OF_ITS_FIELD.has(failure.code) && hasPlace(name)) {
      this.#say(name, failure.message);
    } else this.problem = failure;
  }

  #say(name: NumberName | "noticeDays", error: string | undefined): void {
    this.errors = { ...this.errors, [name]: error };
    this.saved = null;
  }
}

/** What is said beside the setting that was refused. */
const OF_ITS_FIELD: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "settingInvalid",
  "notRecognised",
]);

/** Whether a setting has a field that can say what is wrong with it. */
function hasPlace(name: keyof Settings): name is NumberName | "noticeDays" {
  return name === "noticeDays" || name in NUMBERS;
}

/** A default life beyond the longest one would make every new key fail. */
function tooLong(settings: Settings, changed: NumberName): string | null {
  const { longestLifeDays: longest, defaultExpirationDays: usual } = settings;
  if (longest === null || usual <= longest) return null;
  return changed === "longestLifeDays"
    ? `The default expiration is ${usual} days. Shorten that first.`
    : `The longest allowed life is ${longest} days.`;
}
