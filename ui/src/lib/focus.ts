/**
 * Watches who has the focus in a part of the page, so that it can be told whether that is gone from
 * the page and nothing took its place: the bare page then has the focus, and no key does anything.
 */
export class FocusWatch {
  #last: Element | null = null;

  /** To be called with each `focusin` of that part. */
  readonly saw = ({ target }: FocusEvent): void => {
    this.#last = target instanceof Element ? target : null;
  };

  /** True when what had the focus last is gone, and the bare page has it. */
  get isLost(): boolean {
    const last = this.#last;
    return last !== null && !last.isConnected && document.activeElement === document.body;
  }
}

/** An act's own hand-over of the focus comes first. */
const SETTLED = 50;

/** Calls `take` in a moment if the focus is lost by then, unless the returned function is called. */
export function takeLostFocus(watch: FocusWatch, take: () => void): () => void {
  const timer = setTimeout(() => {
    if (watch.isLost) take();
  }, SETTLED);
  return () => clearTimeout(timer);
}
