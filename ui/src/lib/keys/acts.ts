import type { Component } from "svelte";
import Copy from "@lucide/svelte/icons/copy";
import Eye from "@lucide/svelte/icons/eye";
import Pencil from "@lucide/svelte/icons/pencil";
import CalendarPlus from "@lucide/svelte/icons/calendar-plus";
import Ban from "@lucide/svelte/icons/ban";
import RefreshCw from "@lucide/svelte/icons/refresh-cw";
import RotateCcw from "@lucide/svelte/icons/rotate-ccw";
import Trash from "@lucide/svelte/icons/trash-2";
import type { App } from "../app.svelte";
import { command, shift } from "../chords";
import type { KeyView } from "../ipc";
import { short } from "./names";

/** Something that can be done to keys, wherever it is offered. */
export interface Act {
  id: "copy" | "reveal" | "edit" | "renew" | "roll" | "revoke" | "reactivate" | "delete";
  label: string;
  icon: Component<{ size?: number | string; strokeWidth?: number | string }>;
  keys?: string;
  /** Further words it is found by. */
  words?: string[];
  tone: "plain" | "danger";
  run: () => void;
}

/** What an admin is told instead of being shown a dead button. */
export function refusalWords(
  app: App,
  what: "change" | "delete" | "change or delete",
  keys: "this key" | "these keys",
): string {
  const where = short(app.active?.identity?.organization ?? "this tenant");
  return `Your role in ${where} does not let you ${what} ${keys}.`;
}

/** What can be done to these keys by this caller; what cannot is not in it. */
export function actsOn(app: App, keys: readonly KeyView[]): Act[] {
  const { keys: list } = app;
  const [one] = keys;
  if (!list || !one) return [];
  const acts: Act[] = [];
  const single = keys.length === 1;
  const source = single ? app.stored(one) : null;
  if (source) {
    acts.push(
      {
        id: "copy",
        label: "Copy key",
        icon: Copy,
        keys: command("C"),
        tone: "plain",
        run: () => void app.copy(source),
      },
      {
        id: "reveal",
        label: "Reveal",
        icon: Eye,
        tone: "plain",
        run: () => void app.reveal(source),
      },
    );
  }
  if (single && one.may.update) {
    acts.push({
      id: "edit",
      label: "Edit",
      icon: Pencil,
      keys: "E",
      tone: "plain",
      run: () => list.askEdit(one),
    });
  }
  if (keys.some((key) => key.may.update)) {
    acts.push({
      id: "renew",
      label: "Renew",
      icon: CalendarPlus,
      keys: "N",
      tone: "plain",
      run: () => list.askRenew(keys),
    });
  }
  if (single && list.mayRoll(one)) {
    acts.push({
      id: "roll",
      label: "Roll",
      icon: RefreshCw,
      keys: "R",
      words: ["rotate", "replace"],
      tone: "plain",
      run: () => list.askRoll(one),
    });
  }
  if (keys.some((key) => key.may.update && list.isOut(key))) {
    acts.push({
      id: "reactivate",
      label: "Re-activate",
      icon: RotateCcw,
      keys: shift("R"),
      tone: "plain",
      run: () => list.reactivate(keys),
    });
  }
  if (keys.some((key) => key.may.update && !list.isOut(key))) {
    acts.push({
      id: "revoke",
      label: "Revoke",
      icon: Ban,
      keys: shift("R"),
      tone: "danger",
      run: () => list.revoke(keys),
    });
  }
  if (keys.some((key) => key.may.delete && !list.isGoing(key))) {
    acts.push({
      id: "delete",
      label: "Delete",
      icon: Trash,
      keys: "Del",
      tone: "danger",
      run: () => list.askDelete(keys),
    });
  }
  return acts;
}
