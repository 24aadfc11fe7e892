/**
 * Names from outside, made fit to be read: whoever made a key has chosen its name, and it must not
 * pass for another. The same rule as core's `shown::visible`, by which tray and notices show them.
 */

/** Longest name shown whole, in characters. A longer one loses its middle, where they differ least. */
const WHOLE = 256;
/** The same in a sentence. */
const IN_SENTENCE = 60;

/** Characters that show nothing, break the line or turn text around. */
const HIDDEN = String.raw`\p{Cc}\u{AD}\u{34F}\u{61C}\u{115F}\u{1160}\u{17B4}\u{17B5}\u{180B}-\u{180F}\u{200B}-\u{200F}\u{2028}-\u{202E}\u{2060}-\u{206F}\u{3164}\u{FE00}-\u{FE0F}\u{FEFF}\u{FFA0}\u{FFF0}-\u{FFFB}\u{E0000}-\u{E0FFF}`;
/** Hebrew, Arabic and their relatives. */
const FROM_RIGHT = String.raw`\u{590}-\u{8FF}\u{FB1D}-\u{FDFF}\u{FE70}-\u{FEFF}\u{10800}-\u{10FFF}\u{1E800}-\u{1EFFF}`;

// eslint-disable-next-line no-misleading-character-class -- each of them alone is the point
const hidden = new RegExp(`[${HIDDEN}]`, "gu");
const fromRight = new RegExp(`[${FROM_RIGHT}]`, "u");
/** Finds whatever cannot be shown as it is; most names have none of it. */
// eslint-disable-next-line no-misleading-character-class -- as above
const odd = new RegExp(`[${HIDDEN}${FROM_RIGHT}]|[^\\S ]`, "u");

/** Text with its hidden characters written out, for words of which names are a part. */
export function written(text: string): string {
  return odd.test(text)
    ? text.replace(hidden, (c) => {
        const code = (c.codePointAt(0) ?? 0).toString(16).toUpperCase();
        return `⟨U+${code.padStart(4, "0")}⟩`;
      })
    : text;
}

/**
 * Text on one line, at most `longest` characters: what is hidden is written out, and text that runs
 * from right to left keeps to itself. Nothing is trimmed. Empty when there is nothing to see.
 */
export function visible(text: string, longest = WHOLE): string {
  if (text.length <= longest && !odd.test(text)) return text.trim() === "" ? "" : text;
  const all = [...text];
  const cut = all.length > longest * 2;
  // More than can be shown need not be looked at.
  const near = cut ? [...all.slice(0, longest), ...all.slice(all.length - longest)] : all;
  const seen = written(near.join("")).replace(/\s/gu, " ");
  if (seen.trim() === "") return "";
  const letters = [...seen];
  const head = Math.floor(longest / 2);
  const short =
    cut || letters.length > longest
      ? [...letters.slice(0, head), "…", ...letters.slice(letters.length - longest + head + 1)]
      : letters;
  const line = short.join("");
  return fromRight.test(line) ? `\u2068${line}\u2069` : line;
}

/** A name as the list shows it. */
export function shownName(name: string): string {
  return visible(name) || "(no name)";
}

/** A name for a sentence: whole up to 60 characters, else shortened in the middle. */
export function short(name: string): string {
  return visible(name, IN_SENTENCE) || "(no name)";
}

/** A person's name, as far as there is one. */
export function person(name: string, nobody = "Unknown person"): string {
  return visible(name, IN_SENTENCE) || nobody;
}

/** "…1f2a3b": the last six characters of a uid, which no other key shares in practice. */
export function endOf(uid: string): string {
  return `…${uid.slice(-6)}`;
}

/**
 * A name and the end of its uid, for questions: two keys may have the same name. The spaces in it
 * do not break a line, and tell `parted` where it begins.
 */
export function nameAndUid({ name, uid }: { name: string; uid: string }): string {
  return `${short(name)} ${endOf(uid)}`.replaceAll(" ", "\u00A0");
}

/** Words with each `nameAndUid` in them as a part of its own: every second one. */
export function parted(words: string): string[] {
  return words.split(/([^ ]+\u00A0…\w{1,6})/u);
}

/** Without the spaces around it, which nobody sees. */
function bare(text: string): string {
  return text.replace(/^ +| +$/gu, "");
}

/**
 * What confirms that a key is deleted: its name, or the last six characters of its uid where nobody
 * can type the name from sight. Core asks for the same (`keys/delete.rs`).
 */
export function confirmation(name: string, uid: string): { kind: "name" | "uid"; text: string } {
  const text = bare(name);
  const seen = visible(text).replace(/^\u2068|\u2069$/gu, "");
  return text === "" || seen !== text || text.includes("  ")
    ? { kind: "uid", text: uid.slice(-6) }
    : { kind: "name", text };
}

/** Whether it was typed, with or without the dots before the end of a uid. */
export function isConfirmed(typed: string, name: string, uid: string): boolean {
  const { kind, text } = confirmation(name, uid);
  const said = bare(typed);
  return text !== "" && text === (kind === "uid" ? said.replace(/^…/u, "") : said);
}
