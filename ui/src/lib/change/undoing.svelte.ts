import { call, newOpId, toFailure } from "../ipc";
import type { Act, ErrorView, KeyState, KeyView, UndoTarget, UndoView } from "../ipc";
import type { Dialogs } from "../dialogs.svelte";
import { present } from "../errors";
import { short } from "../keys/names";
import type { Toasts } from "../toasts.svelte";

/** What an undo needs from the window around it. */
export interface UndoSurroundings {
  toasts: Toasts;
  dialogs: Dialogs;
  /** A key is another one than before. */
  changed: (connection: string, key: KeyView) => void;
}

/** The key as somebody else left it, and what would become of it. */
export type UndoConflict = Extract<UndoView, { kind: "conflict" }>;

/** A field in which a key is not as this app left it, or would not stay as it is. */
export interface UndoDifference {
  field: keyof KeyState;
  left: KeyState[keyof KeyState];
  now: KeyState[keyof KeyState];
  back: KeyState[keyof KeyState];
}

const FIELDS = ["name", "description", "expires", "active"] as const;

/** The fields of a conflict that there is something to say about. */
export function differencesOf({ left, now, back }: UndoConflict): UndoDifference[] {
  return FIELDS.map((field) => ({
    field,
    left: left[field],
    now: now[field],
    back: back[field],
  })).filter(({ left, now, back }) => left !== now || back !== now);
}

/** The act that an undo of an act is written down as: the one that "Redo" takes back. */
const WRITTEN_AS: Partial<Record<Act, Act>> = {
  edit: "edit",
  renew: "edit",
  revoke: "reactivate",
  reactivate: "revoke",
};

/** Takes back what was done, and asks where somebody else changed the key since. */
export class Undoing {
  readonly #around: UndoSurroundings;
  /** The line being taken back. */
  line = $state<number | null>(null);

  constructor(around: UndoSurroundings) {
    this.#around = around;
  }

  /** Takes back one act and says how it went. */
  async run(target: UndoTarget, seen: KeyState | null = null): Promise<void> {
    if (target.kind === "line") {
      if (this.line !== null) return;
      this.line = target.line;
    }
    // What was said of an earlier try is not so any more.
    this.#around.toasts.dismissAbout(aboutUndo(target));
    try {
      const view = await call("undo", { opId: newOpId(), target, seen });
      this.#say(view);
    } catch (thrown) {
      this.#sayProblem(target, toFailure(thrown));
    } finally {
      if (target.kind === "line") this.line = null;
    }
  }

  /** Takes back one act of several: says nothing, and asks nothing. */
  async quietly(target: UndoTarget): Promise<ErrorView | null> {
    try {
      const view = await call("undo", { opId: newOpId(), target, seen: null });
      if (view.kind === "undone") {
        if (view.key) this.#around.changed(view.connection, view.key);
        return null;
      }
      if (view.kind === "unconfirmed") return view.problem;
      this.#around.changed(view.connection, view.key);
      return {
        code: "refused",
        message: "Somebody changed it since. Undo it in Activity, which shows what differs.",
        details: null,
      };
    } catch (thrown) {
      return toFailure(thrown);
    }
  }

  /** "Undo anyway": over what the conflict showed, as long as it is still so. */
  async anyway(conflict: UndoConflict): Promise<void> {
    await this.run({ kind: "line", line: conflict.line }, conflict.now);
  }

  #say(view: UndoView): void {
    const { toasts, dialogs, changed } = this.#around;
    if (view.kind === "unconfirmed") {
      toasts.show({
        tone: "bad",
        text: "Could not confirm the revocation; still trying.",
        detail: view.problem.message,
        action: { label: "Show", run: () => dialogs.open({ kind: "outbox" }) },
      });
      return;
    }
    if (view.key) changed(view.connection, view.key);
    if (view.kind === "conflict") {
      dialogs.open({ kind: "undoConflict", conflict: view, undoing: this });
      return;
    }
    const { key, connection, act, sent } = view;
    const name = key ? short(key.name) : "The key";
    const written = WRITTEN_AS[act];
    toasts.show({
      tone: "ok",
      text: sent ? said(act, name) : `${name} was so already. Nothing was sent.`,
      action:
        sent && key && written
          ? {
              label: "Redo",
              run: () => void this.run({ kind: "act", connection, uid: key.uid, act: written }),
            }
          : undefined,
    });
  }

  #sayProblem(target: UndoTarget, problem: ErrorView): void {
    const { toasts } = this.#around;
    const again = problem.code === "hostUnreachable" || problem.code === "timedOut";
    toasts.show({
      tone: "bad",
      about: aboutUndo(target),
      text: `Not undone. ${present(problem.code).title}.`,
      detail: problem.message,
      action: again ? { label: "Try again", run: () => void this.run(target) } : undefined,
    });
  }
}

function aboutUndo(target: UndoTarget): string {
  return `undo ${JSON.stringify(target)}`;
}

function said(act: Act, name: string): string {
  if (act === "revoke") return `Re-activated ${name}.`;
  if (act === "reactivate") return `Revoked ${name}.`;
  return `Changed ${name} back.`;
}
