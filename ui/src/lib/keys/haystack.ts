import type { Row } from "./rows";

/** Stands between two texts, and in none of them. */
const BETWEEN = "\0";

/**
 * The texts of many rows in one. Looking into 6,000 strings that lie here and there in memory takes
 * a quarter of a frame, going through this a fiftieth. It is made when it is first asked for after
 * the rows have changed.
 */
export class Haystack {
  readonly #of: (row: Row) => string;
  #rows: readonly Row[] = [];
  #text = "";
  /** Where the text of each row begins. */
  #starts = new Uint32Array(0);

  /** `of` is the text of a row. */
  constructor(of: (row: Row) => string = ({ text }) => text) {
    this.#of = of;
  }

  /** Makes itself ready for these rows, unless it is. */
  take(rows: readonly Row[]): void {
    if (rows === this.#rows) return;
    this.#rows = rows;
    const starts = new Uint32Array(rows.length);
    let at = 0;
    const texts = rows.map((row, place) => {
      const text = this.#of(row);
      starts[place] = at;
      at += text.length + BETWEEN.length;
      return text;
    });
    this.#starts = starts;
    this.#text = texts.join(BETWEEN);
  }

  /** For each of these rows 1 if its text holds a word (in lower case), else 0. */
  holding(rows: readonly Row[], word: string): Uint8Array {
    this.take(rows);
    const found = new Uint8Array(rows.length);
    // No text holds what stands between two.
    if (word.includes(BETWEEN))
      return found.map((_, place) => {
        const row = rows[place];
        return Number(row !== undefined && this.#of(row).includes(word));
      });
    const starts = this.#starts;
    let place = 0;
    for (let at = this.#text.indexOf(word); at >= 0;) {
      while (place + 1 < starts.length && (starts[place + 1] ?? 0) <= at) place++;
      found[place] = 1;
      const next = starts[place + 1];
      if (next === undefined) break;
      at = this.#text.indexOf(word, next);
    }
    return found;
  }
}

/** What a search looks into: a text of each row by itself, one for each way of asking. */
export class Haystacks {
  /** Name, description, owner, e-mail and uid. */
  readonly text = new Haystack();
  /** The owner's name and e-mail. */
  readonly owner = new Haystack(({ owner }) => owner);
  /** The status, behind a colon: what follows one is its beginning. */
  readonly status = new Haystack(({ key }) => `:${key.status}`);

  /** Makes itself ready for these rows. */
  take(rows: readonly Row[]): void {
    for (const each of [this.text, this.owner, this.status]) each.take(rows);
  }
}
