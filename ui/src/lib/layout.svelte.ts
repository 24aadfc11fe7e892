import { MediaQuery } from "svelte/reactivity";

const sheet = new MediaQuery("max-width: 999px", false);
const rail = new MediaQuery("max-width: 759px", false);

/** What the width of the window has room for. */
export const layout = {
  /** The details lie over the list instead of beside it. */
  get sheet(): boolean {
    return sheet.current;
  },
  /** The sidebar shows pictures only. */
  get rail(): boolean {
    return rail.current;
  },
};
