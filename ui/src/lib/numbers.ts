/** Numbers in words. */

// Made once: each `toLocaleString` makes a format of its own, which takes a frame for a few dozen.
const british = new Intl.NumberFormat("en-GB");

/** "6,000". */
export function grouped(number: number): string {
  return british.format(number);
}

/** "1 key", "3 keys", "2 entries". */
export function count(number: number, one: string, several = `${one}s`): string {
  // Rows say "5 days" by the hundred in a frame.
  const digits = number >= 0 && number < 1000 ? String(number) : grouped(number);
  return `${digits} ${number === 1 ? one : several}`;
}
