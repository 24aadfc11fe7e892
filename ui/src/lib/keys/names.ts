/** A name for a sentence: whole up to 60 characters, else shortened in the middle. */
export function short(name: string): string {
  const letters = [...name];
  return letters.length <= 60
    ? name
    : `${letters.slice(0, 38).join("")}…${letters.slice(-21).join("")}`;
}
