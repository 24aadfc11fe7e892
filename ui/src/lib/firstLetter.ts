/** Edits that may put the first letter into a field, or take the last one out. */
const EDITS: ReadonlySet<string> = new Set([
  "insertText",
  "deleteContentBackward",
  "deleteContentForward",
]);

/** WebKitGTK, where it was measured. Elsewhere an edit without a selection may not be one. */
function isWebKitGtk(agent: string): boolean {
  return /\bLinux\b/u.test(agent) && agent.includes("AppleWebKit") && !agent.includes("Chrome");
}

/**
 * Keeps WebKitGTK from laying out and painting the whole window when a field's first letter is typed
 * or its last one deleted (25 instead of 14 ms with 6,000 keys). The selection stands then on a node
 * that the edit takes out, and for that WebKit 2.46 to 2.50 lays the view out anew
 * (`FrameSelection::respondToNodeModification`, `LocalFrameView::scheduleSelectionUpdate`). An edit
 * remembers its place before it tells of itself, so an empty selection changes nothing else; undo
 * only gets a step more.
 */
export function easeFirstLetter(field: HTMLInputElement, agent = navigator.userAgent): () => void {
  if (!isWebKitGtk(agent)) return () => undefined;

  function before(event: InputEvent): void {
    if (event.isComposing || !EDITS.has(event.inputType)) return;
    const { selectionStart: from, selectionEnd: to, value } = field;
    if (from === null || to === null) return;
    const whole = from === 0 && to === value.length;
    if (!whole && value.length > 1) return;
    const selection = document.getSelection();
    selection?.removeAllRanges();
    // Whoever forbids the edit leaves the field without a caret.
    setTimeout(() => {
      if (document.activeElement === field && selection?.rangeCount === 0)
        field.setSelectionRange(from, to);
    });
  }

  field.addEventListener("beforeinput", before);
  return () => field.removeEventListener("beforeinput", before);
}
