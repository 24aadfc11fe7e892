import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { easeFirstLetter } from "./firstLetter";

const GTK =
  "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15";
const CHROME =
  "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36";
const MAC =
  "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)";

let field: HTMLInputElement;
let end: () => void;
const cleared = vi.fn();

/** An edit is about to happen to `value`, with this selected. */
function edit(value: string, from: number, to: number, about: InputEventInit = {}): number {
  field.value = value;
  field.setSelectionRange(from, to);
  cleared.mockClear();
  field.dispatchEvent(new InputEvent("beforeinput", { inputType: "insertText", ...about }));
  return cleared.mock.calls.length;
}

describe("the first and the last letter", () => {
  beforeEach(() => {
    field = document.createElement("input");
    document.body.append(field);
    field.focus();
    const selection = { rangeCount: 0, removeAllRanges: cleared } as unknown as Selection;
    vi.spyOn(document, "getSelection").mockReturnValue(selection);
    end = easeFirstLetter(field, GTK);
  });
  afterEach(() => {
    end();
    field.remove();
  });

  it("are eased, and no other", () => {
    const back = { inputType: "deleteContentBackward" };
    expect(edit("", 0, 0)).toBe(1);
    expect(edit("a", 1, 1, back)).toBe(1);
    expect(edit("a", 0, 0, { inputType: "deleteContentForward" })).toBe(1);
    expect(edit("abc", 0, 3, back)).toBe(1);
    expect(edit("abc", 3, 3, back)).toBe(0);
    expect(edit("abc", 1, 3)).toBe(0);
  });

  it("leave input methods, undo and paste alone", () => {
    expect(edit("", 0, 0, { isComposing: true })).toBe(0);
    expect(edit("", 0, 0, { inputType: "insertCompositionText" })).toBe(0);
    expect(edit("a", 1, 1, { inputType: "historyUndo" })).toBe(0);
    expect(edit("", 0, 0, { inputType: "insertFromPaste" })).toBe(0);
  });

  it("keep the caret where an edit is forbidden", async () => {
    edit("abc", 0, 3);
    field.setSelectionRange(1, 1);
    await vi.waitFor(() => expect([field.selectionStart, field.selectionEnd]).toEqual([0, 3]));
  });

  it("are as they are in other engines", () => {
    for (const agent of [CHROME, MAC]) {
      end();
      end = easeFirstLetter(field, agent);
      expect(edit("", 0, 0)).toBe(0);
    }
  });
});
