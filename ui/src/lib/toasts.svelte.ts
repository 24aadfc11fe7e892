/** A short word about something that happened. */
export interface Toast {
  id: number;
  tone: "ok" | "bad" | "info";
  text: string;
  /** A second line: what was not changed, what to do. */
  detail?: string;
  action?: { label: string; run: () => void };
  second?: { label: string; run: () => void };
  /** What it is about: it goes when that has changed. */
  about?: string;
}

export interface ToastRequest extends Omit<Toast, "id" | "tone"> {
  tone?: Toast["tone"];
  /**
   * Milliseconds on screen, null until dismissed. Without it 6 s, 15 s with an action, and trouble
   * until dismissed.
   */
  lasts?: number | null;
}

const PLAIN = 6_000;
const WITH_ACTION = 15_000;
const MOST = 4;

/** The toasts on screen, newest last. */
export class Toasts {
  #next = 1;
  #timers = new Map<
    number,
    { timer: ReturnType<typeof setTimeout> | null; left: number; since: number }
  >();
  shown = $state.raw<readonly Toast[]>([]);

  /** Shows one and returns its id. */
  show({ lasts, tone = "info", ...rest }: ToastRequest): number {
    if (rest.about !== undefined) this.dismissAbout(rest.about);
    const toast: Toast = { id: this.#next++, tone, ...rest };
    const oldest = this.shown.length >= MOST ? this.shown[0] : undefined;
    if (oldest) this.dismiss(oldest.id);
    this.shown = [...this.shown, toast];
    const usual = tone === "bad" ? null : toast.action ? WITH_ACTION : PLAIN;
    const time = lasts === undefined ? usual : lasts;
    if (time !== null) {
      this.#timers.set(toast.id, { timer: null, left: time, since: 0 });
      this.#run(toast.id);
    }
    return toast.id;
  }

  /** Takes one away. */
  dismiss(id: number): void {
    const timer = this.#timers.get(id)?.timer;
    if (timer) clearTimeout(timer);
    this.#timers.delete(id);
    this.shown = this.shown.filter((toast) => toast.id !== id);
  }

  /** Takes away what was said about something, because it is not so any more. */
  dismissAbout(about: string): void {
    for (const toast of this.shown) if (toast.about === about) this.dismiss(toast.id);
  }

  /** The newest toast that can still be acted on, for Ctrl+Z. */
  get undoable(): Toast | null {
    return this.shown.findLast((toast) => toast.action?.label === "Undo") ?? null;
  }

  /** Time stands still while the pointer or the focus is on the toasts. */
  hold(): void {
    for (const entry of this.#timers.values()) {
      if (!entry.timer) continue;
      clearTimeout(entry.timer);
      entry.timer = null;
      entry.left -= performance.now() - entry.since;
    }
  }

  /** Time goes on. */
  release(): void {
    for (const id of this.#timers.keys()) this.#run(id);
  }

  #run(id: number): void {
    const entry = this.#timers.get(id);
    if (!entry || entry.timer) return;
    entry.since = performance.now();
    entry.timer = setTimeout(() => this.dismiss(id), Math.max(entry.left, 1_000));
  }
}
