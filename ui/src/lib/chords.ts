/** Keys as a person of this system knows them. */
const mac = typeof navigator !== "undefined" && /mac/i.test(navigator.platform);

/** True for Ctrl, and for Cmd on a Mac. */
export function isCommand(event: KeyboardEvent): boolean {
  return mac ? event.metaKey && !event.ctrlKey : event.ctrlKey && !event.metaKey;
}

/** "Ctrl+K", on a Mac "⌘K". */
export function command(key: string): string {
  return mac ? `⌘${key}` : `Ctrl+${key}`;
}

/** "Shift+R", on a Mac "⇧R". */
export function shift(key: string): string {
  return mac ? `⇧${key}` : `Shift+${key}`;
}

/** True where letters are typed, so that they are not shortcuts. */
export function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable ||
      target instanceof HTMLTextAreaElement ||
      target instanceof HTMLSelectElement ||
      (target instanceof HTMLInputElement &&
        !["checkbox", "radio", "button"].includes(target.type)))
  );
}
