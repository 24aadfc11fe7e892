import type { ActivityView, AuditView } from "../ipc";
import { isSameKind } from "./filter";

/** Milliseconds within which an entry of the server may be about the same act. */
const NEAR = 5_000;

/** One thing of the time line. */
export type Item =
  | {
      from: "app";
      at: number;
      line: ActivityView;
      /** What the server wrote down about the same key at the same time: likely the same act. */
      beside: AuditView[];
    }
  | { from: "server"; at: number; entry: AuditView };

/** Where one side of the time line ends for now; none: all of it is there. */
export interface Horizon {
  app: number | null;
  server: number | null;
}

/**
 * Lines of this app and entries of the server in one time line, newest first. What lies before the
 * nearer horizon is left out: the other side may still have something to put between.
 */
export function together(
  lines: readonly ActivityView[],
  entries: readonly AuditView[],
  horizon: Horizon,
): Item[] {
  const besides = new Map<number, AuditView[]>();
  const alone: AuditView[] = [];
  const byKey = new Map<string, ActivityView[]>();
  for (const line of lines) {
    if (line.keyUid === null || line.state === "failed") continue;
    byKey.set(line.keyUid, [...(byKey.get(line.keyUid) ?? []), line]);
  }
  for (const entry of entries) {
    const near = (byKey.get(entry.keyUid ?? "") ?? [])
      .filter((line) => isSameKind(line.act, entry))
      .map((line) => ({ line, apart: Math.abs(line.at - entry.localAt) }))
      .filter(({ apart }) => apart <= NEAR)
      .sort((a, b) => a.apart - b.apart)[0];
    if (near) besides.set(near.line.id, [...(besides.get(near.line.id) ?? []), entry]);
    else alone.push(entry);
  }
  const items: Item[] = [
    ...lines.map((line) => ({
      from: "app" as const,
      at: line.at,
      line,
      beside: besides.get(line.id) ?? [],
    })),
    ...alone.map((entry) => ({ from: "server" as const, at: entry.localAt, entry })),
  ];
  const nearest = Math.max(horizon.app ?? -Infinity, horizon.server ?? -Infinity);
  return items.filter(({ at }) => at >= nearest).sort((a, b) => b.at - a.at);
}
