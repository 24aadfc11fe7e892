import type { Row } from "./rows";

/** What one row element shows. */
export interface Line {
  readonly row: Row;
  /**
   * Its place in the list, from 0; below 0: parked out of sight until it is needed again, each at a
   * place of its own.
   */
  readonly place: number;
}

/**
 * A fixed number of row elements for a list of any length. Making an element with its style and its
 * boxes takes a millisecond; giving it other texts takes a tenth of that. So elements are kept:
 * the one at a place is always the same (place modulo their number), and in a list that is not
 * scrolled they stand in its order. A line that stays as it was stays the same object.
 */
export class Pool {
  #lines: readonly (Line | null)[] = [];

  /**
   * The lines of so many elements from the place `first` on. Those from `due` up to `end` are made
   * now; the others are kept if they are right already, and are parked if not.
   */
  show(
    shown: readonly Row[],
    first: number,
    size: number,
    due = first,
    end = first + size,
  ): readonly (Line | null)[] {
    const before = this.#lines;
    const turn = size - (first % size);
    this.#lines = Array.from({ length: size }, (_, slot) => {
      const place = first + ((slot + turn) % size);
      const row = shown[place];
      const old = before[slot] ?? null;
      if (row && old?.row === row && old.place === place) return old;
      if (row && place >= due && place < end) return { row, place };
      return old && old.place >= 0 ? { row: old.row, place: -1 - slot } : old;
    });
    return this.#lines;
  }
}
