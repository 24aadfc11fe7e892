import type { Appearance } from "./ipc";

const dark = () => window.matchMedia?.("(prefers-color-scheme: dark)");

/** Puts light or dark on the page. */
export function applyAppearance(appearance: Appearance): void {
  const isDark = appearance === "dark" || (appearance === "system" && dark()?.matches === true);
  document.documentElement.dataset.theme = isDark ? "dark" : "light";
}

/** Follows the desktop while the choice is "system", until the returned function is called. */
export function followDesktop(appearance: () => Appearance): () => void {
  const query = dark();
  const changed = () => applyAppearance(appearance());
  query?.addEventListener("change", changed);
  return () => query?.removeEventListener("change", changed);
}
