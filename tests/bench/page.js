// The clock inside the page. Times are milliseconds; "painted" is the moment at which the page has
// finished the frame that shows something: a timer set in requestAnimationFrame, due at once, comes
// right after style, layout and paint of that frame.
(() => {
  // Not a message: those go by way of the network process, and come 1 to 11 ms after the frame,
  // often when the next one has been made too (seen in a trace of the pictures).
  const soon = (then) => setTimeout(() => then(performance.now()), 0);
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  const task = () => new Promise(soon);
  const painted = () => new Promise((done) => requestAnimationFrame(() => soon(done)));
  const rows = () => [...document.querySelectorAll('[role="grid"] [role="row"][data-uid]')];
  const sight = () => document.querySelector('[role="grid"]');
  const field = () => document.getElementById("search-keys");

  // Does something and waits until `seen` is true of the document and painted.
  const until = (seen, act) =>
    new Promise((done) => {
      const began = performance.now();
      const watch = new MutationObserver(() => {
        if (!seen()) return;
        watch.disconnect();
        const made = performance.now() - began;
        const shown = frame().then(task).then((at) => at - began);
        const second = frame()
          .then(frame)
          .then(() => performance.now() - began);
        void Promise.all([shown, second]).then(([painted, second]) =>
          done({ made, painted, second }),
        );
      });
      watch.observe(document.body, {
        subtree: true,
        childList: true,
        characterData: true,
        attributes: true,
      });
      act();
    });

  const connect = async () => {
    const button = [...document.querySelectorAll("button")].find(
      (each) => each.textContent.trim() === "Connect",
    );
    const { painted } = await until(
      () => rows().length > 0,
      () => button.click(),
    );
    return painted;
  };

  const firstRow = () => rows()[0].dataset.uid;

  // Asks the server for the list, as F5 does, until the row of this key shows its new name.
  const refresh = (uid, name) =>
    until(
      () => rows().some((row) => row.dataset.uid === uid && row.textContent.includes(name)),
      () =>
        document.body.dispatchEvent(
          new KeyboardEvent("keydown", { key: "F5", bubbles: true, cancelable: true }),
        ),
    );

  // Longest time during which the page could do nothing else: a timer due at once ticks all the
  // while, and how late it comes is how long the page was busy.
  const busy = () => {
    let last = performance.now();
    let longest = 0;
    let on = true;
    const tick = () => {
      const at = performance.now();
      longest = Math.max(longest, at - last);
      last = at;
      if (on) setTimeout(tick, 0);
    };
    setTimeout(tick, 0);
    return () => {
      on = false;
      return longest;
    };
  };

  // Distance between frames, as the display sees it.
  const paces = () => {
    const all = [];
    let last = null;
    let on = true;
    const tick = (at) => {
      if (last !== null) all.push(at - last);
      last = at;
      if (on) requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
    return () => {
      on = false;
      return all;
    };
  };

  // Records, until `stop`, each frame that answers an event: from the event to painted.
  let recording = null;
  const record = (type) => {
    const times = [];
    let due = false;
    const heard = () => {
      if (due) return;
      due = true;
      const began = performance.now();
      requestAnimationFrame(() =>
        soon((at) => {
          due = false;
          times.push(at - began);
        }),
      );
    };
    window.addEventListener(type, heard, { capture: true });
    const [longest, frames] = [busy(), paces()];
    recording = () => {
      window.removeEventListener(type, heard, { capture: true });
      return { times, longest: longest(), frames: frames() };
    };
  };
  const stop = () => recording();

  // Scrolls by so many pixels at a time. The jump is made between two frames, so its scroll event
  // is the first thing in the next one.
  const jumps = async (by, count) => {
    record("scroll");
    const grid = sight();
    grid.scrollTop = 0;
    let way = by;
    for (let step = 0; step < count; step++) {
      const end = grid.scrollHeight - grid.clientHeight;
      if (grid.scrollTop + way > end || grid.scrollTop + way < 0) way = -way;
      await painted();
      grid.scrollTop += way;
    }
    await painted();
    await painted();
    return stop();
  };

  // Types into the search box and deletes again, 20 letters a second, through the browser's own
  // editing: from the letter to painted. Given at the beginning of a frame, as browsers do with
  // what a person moves, so no waiting for a frame is in the figure. What the app does after a
  // frame it then does a frame later than for a letter of the keyboard, which comes between two.
  const typing = async (words) => {
    const times = [];
    field().focus();
    field().select();
    document.execCommand("delete");
    await painted();
    const [longest, frames] = [busy(), paces()];
    const edit = async (act) => {
      await frame();
      const began = performance.now();
      act();
      // What Svelte changes, it changes in microtasks; they have run when this goes on.
      await null;
      times.push((await task()) - began);
      await painted();
      await painted();
    };
    for (const word of words) {
      for (const letter of word) await edit(() => document.execCommand("insertText", false, letter));
      for (const _ of word) await edit(() => document.execCommand("delete"));
    }
    return { times, longest: longest(), frames: frames(), shown: rows().length };
  };

  // Presses "Revoke" in the details, and says when, by the clock of the computer.
  const revoke = () => {
    const details = document.querySelector('[aria-label="Key details"]');
    const button = [...details.querySelectorAll("button")].find(
      (each) => each.textContent.trim() === "Revoke",
    );
    const at = Date.now();
    button.click();
    return at;
  };

  // Opens Review, until its timeline has bars.
  const review = async () => {
    const link = document.querySelector('a[href="#review"]');
    return until(
      () => document.querySelector('[aria-label="Expiry timeline"] rect') !== null,
      () => link.click(),
    );
  };

  Object.defineProperty(window, "__bench", {
    value: { review, revoke, connect, firstRow, refresh, record, stop, jumps, typing },
  });
})();
