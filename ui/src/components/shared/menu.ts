import type { Component } from "svelte";

/** One line of a menu. */
export interface MenuLine {
  label: string;
  run: () => void;
  icon?: Component<{ size?: number | string; strokeWidth?: number | string }>;
  /** What the menu's `lead` draws before the line, where it draws something of its own. */
  lead?: string;
  tone?: "plain" | "danger";
  keys?: string;
  /** The line that is on now, in a menu that chooses one of several. */
  checked?: boolean;
  /** A quieter second line. */
  detail?: string;
  /** A quieter word at the end of the line. */
  aside?: string;
}
/** Lines between two separators. */
export type MenuGroup = MenuLine[];
