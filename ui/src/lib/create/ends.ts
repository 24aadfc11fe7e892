import { inFull } from "../keys/time";

/** "Wed 23 Dec 2026, 14:02 CET" and "13:02 UTC"; the second is none where the zone is UTC. */
export function endOf(at: number, zone?: string): { local: string; utc: string | null } {
  const [local = "", utc] = inFull(at, zone).split(" (");
  return { local, utc: utc ? utc.replace(")", "") : null };
}

/** "Ends Wed 23 Dec 2026, 14:02 CET", or that it never does. */
export function endsInWords(at: number | null): string {
  return at === null ? "Never expires" : `Ends ${endOf(at).local}`;
}
