/** Whatever stands behind the window: the shell, or a fake in tests and in the browser. */
export interface Host {
  /** Asks for one command; rejects with an `ErrorView`. */
  call(name: string, request: unknown): Promise<unknown>;
  /** Hears one event until the returned function is called. */
  listen(event: string, handler: (payload: unknown) => void): Promise<() => void>;
}
