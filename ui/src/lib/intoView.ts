/** An attachment: brings what just appeared into view, where the box around it scrolls. */
export function intoView(element: Element): void {
  element.scrollIntoView({ block: "nearest" });
}
