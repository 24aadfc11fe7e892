// Finds elements by role and accessible name. Runs inside the page, after Testing Library's
// `dom.umd.min.js`; the tests call `window.__stage`.
(() => {
  const library = window.TestingLibraryDom;
  const tidy = (text) => text.replace(/\s+/g, " ").trim();
  const fits = (wanted) => (text) => {
    if (wanted === null) return true;
    const is = tidy(text ?? "");
    return wanted.exact ? is === tidy(wanted.text) : is.includes(tidy(wanted.text));
  };
  const shown = (element) => !library.isInaccessible(element);
  const one = (scope, step) => {
    const matches = fits(step.name);
    switch (step.by) {
      case "role":
        return library.queryAllByRole(scope, step.role, step.name ? { name: matches } : {});
      case "label":
        return library.queryAllByLabelText(scope, matches, step.only ? { selector: step.only } : {}).filter(shown);
      case "text":
        return library.queryAllByText(scope, matches, { ignore: "script, style" }).filter(shown);
      case "nth":
        throw new Error("nth is taken from the whole list");
    }
  };
  const find = (steps) =>
    steps.reduce((scopes, step) => {
      if (step.by === "nth") return scopes.slice(step.index, step.index + 1);
      return [...new Set(scopes.flatMap((scope) => one(scope, step)))];
    }, [document.documentElement]);

  // What a screen reader could walk through, for the message of a failed test.
  const tree = () => {
    const lines = [];
    for (const [role, elements] of Object.entries(library.getRoles(document.body))) {
      if (role === "generic" || role === "presentation") continue;
      for (const element of elements.slice(0, 12)) {
        const name = tidy(element.ariaLabel ?? element.labels?.[0]?.textContent ?? element.textContent ?? "");
        lines.push(`  ${role} "${name.slice(0, 80)}"`);
      }
      if (elements.length > 12) lines.push(`  … ${elements.length - 12} more of role ${role}`);
    }
    return lines.join("\n");
  };

  // Svelte and React listen to "input"; the prototype's setter passes any wrapper by.
  const put = (element, text) => {
    const kind = element instanceof HTMLTextAreaElement ? HTMLTextAreaElement : HTMLInputElement;
    Object.getOwnPropertyDescriptor(kind.prototype, "value").set.call(element, text);
    element.dispatchEvent(new InputEvent("input", { bubbles: true }));
    element.dispatchEvent(new Event("change", { bubbles: true }));
  };

  const state = (element) => {
    const aria = (name) => element.getAttribute(`aria-${name}`);
    const yes = (own, name) => own === true || aria(name) === "true";
    return {
      text: tidy(element.innerText ?? element.textContent ?? ""),
      value: "value" in element ? String(element.value) : null,
      checked: yes(element.checked, "checked"),
      selected: yes(element.selected, "selected"),
      expanded: yes(element.open, "expanded"),
      disabled: yes(element.disabled, "disabled") || element.matches(":disabled"),
      invalid: yes(undefined, "invalid"),
      focused: element === document.activeElement,
      current: aria("current"),
    };
  };

  Object.defineProperty(window, "__stage", { value: { find, tree, put, state } });
})();
