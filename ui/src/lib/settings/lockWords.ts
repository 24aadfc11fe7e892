/** What unlocking asks for on this desktop. */
export function asksFor(asks: boolean): string {
  return asks
    ? "Unlocking asks for your password, through your desktop."
    : "Unlocking asks for nothing on this desktop, so locking only hides. Lock your screen to keep others out.";
}
