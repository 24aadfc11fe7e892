import { call } from "./ipc";

/** Milliseconds in which the shell is told once that somebody is there. */
const TELLS_EVERY = 10_000;

const SIGNS = ["keydown", "pointerdown", "pointermove", "wheel"] as const;

/**
 * Tells the shell that somebody uses the window, so that it does not lock, until the returned
 * function is called. `matters`: it would lock at all.
 */
export function followUse(matters: () => boolean): () => void {
  let pause: ReturnType<typeof setTimeout> | null = null;
  let again = false;

  function tell(): void {
    again = false;
    pause = setTimeout(() => {
      pause = null;
      if (again) tell();
    }, TELLS_EVERY);
    // It locks too early then, and nothing is lost.
    void call("in_use", null).catch(() => undefined);
  }
  function used(): void {
    if (!matters()) return;
    if (pause === null) tell();
    else again = true;
  }

  for (const sign of SIGNS) window.addEventListener(sign, used, { capture: true, passive: true });
  return () => {
    if (pause !== null) clearTimeout(pause);
    for (const sign of SIGNS) window.removeEventListener(sign, used, { capture: true });
  };
}
