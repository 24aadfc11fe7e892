/** Does something once the coming frame is painted, unless the returned function is called first. */
export function afterPaint(act: () => void): () => void {
  // When the frame after it begins, it is painted.
  let frame = requestAnimationFrame(() => {
    frame = requestAnimationFrame(act);
  });
  return () => cancelAnimationFrame(frame);
}
