/** What a badge says by its colour and its sign. */
export type BadgeTone = "ok" | "warn" | "bad" | "mute" | "busy";

/** The signs, one path each, so that a badge changes by its texts alone. */
export const glyphs: Record<BadgeTone, string> = {
  ok: "M4 12.5 9.5 18 20 6.5",
  warn: "M3 12a9 9 0 1 0 18 0a9 9 0 1 0-18 0M12 7v5l3.5 2",
  bad: "M6 6l12 12M18 6 6 18",
  mute: "M3 12a9 9 0 1 0 18 0a9 9 0 1 0-18 0M5.7 5.7l12.6 12.6",
  busy: "M5 12h.01M12 12h.01M19 12h.01",
};
