import type { Plan } from "./bulk/plan";
import type { UndoConflict, Undoing } from "./change/undoing.svelte";
import type {
  ConnectionView,
  FindingView,
  HeldView,
  KeyView,
  MoveView,
  PileUpView,
  RuleView,
  Severity,
} from "./ipc";
import type { Keys } from "./keys/keys.svelte";
import type { Review } from "./review/review.svelte";

/** One question before something is done. */
export interface Confirmation {
  title: string;
  /** What it is about: key, owner; one line each. */
  lines: string[];
  /** For several keys: what will happen to each. */
  plan?: Plan;
  /** Id of the connection it is about, shown with its colour; else the open one. */
  connection?: string;
  /** What the pressing button says, for instance "Revoke 3 keys". */
  action: string;
  tone: "danger" | "neutral";
  onConfirm: () => void;
}

/** Values a new key starts with, for instance those of a lost one. */
export interface NewKeyPrefill {
  name?: string;
  description?: string;
  ownerUid?: string;
}

/** Every dialog there is, with what it needs. */
export type DialogRequest =
  | { kind: "create"; prefill?: NewKeyPrefill; onmade?: (held: HeldView) => void }
  | { kind: "held"; held: HeldView }
  | { kind: "edit"; key: KeyView }
  | { kind: "renew"; keys: KeyView[]; thenReactivate?: boolean }
  /** With its own list: a roll goes on while another connection is opened behind it. */
  | { kind: "roll"; key: KeyView; list: Keys }
  | { kind: "delete"; keys: KeyView[]; plan?: Plan }
  | { kind: "signsIn"; key: KeyView; doing: "revoke" | "delete" }
  | { kind: "signInKey"; uid?: string }
  | { kind: "ownKey" }
  | ({ kind: "confirm" } & Confirmation)
  | { kind: "notice"; title: string; lines: string[]; plan?: Plan }
  | { kind: "undoConflict"; conflict: UndoConflict; undoing: Undoing }
  | { kind: "foundKey" }
  | { kind: "editConnection"; connection: ConnectionView }
  | { kind: "removeConnection"; connection: ConnectionView }
  | { kind: "offboard"; person: { uid: string; name: string } | null }
  | { kind: "saveView"; renames: string | null }
  | {
      kind: "keepFinding";
      review: Review;
      finding: FindingView;
      /** It is kept, and the dialog closed. */
      onkept: () => void;
    }
  | {
      kind: "spread";
      review: Review;
      pile: PileUpView;
      onspread: (moves: readonly MoveView[]) => void;
    }
  | { kind: "accepted"; review: Review }
  | {
      kind: "rules";
      review: Review;
      /** Saves one choice. Rejects with a `CallError`. */
      onchange: (rule: RuleView, severity: Severity) => Promise<void>;
    }
  | { kind: "outbox" }
  | { kind: "quit" }
  | { kind: "shortcuts" };

/** An open dialog; `id` keys its component so that each opening starts afresh. */
export type OpenDialog = DialogRequest & { id: number };

/** Which dialogs are open, the topmost last. */
export class Dialogs {
  #next = 1;
  shown = $state.raw<readonly OpenDialog[]>([]);

  /** Opens a dialog above the others. What there is only one of is never opened twice. */
  open(request: DialogRequest): void {
    if (request.kind === "held" && this.#holds(request.held.held)) return;
    if (request.kind === "outbox" || request.kind === "quit" || request.kind === "foundKey") {
      if (this.shown.some(({ kind }) => kind === request.kind)) return;
    }
    this.shown = [...this.shown, { ...request, id: this.#next++ }];
  }

  /** Asks one question. */
  confirm(question: Confirmation): void {
    this.open({ kind: "confirm", ...question });
  }

  /**
   * Another connection than this one is being opened: what is about its keys or its review closes.
   * A question keeps its own connection, and the colour of that one.
   */
  leave(connection: string | null): void {
    const forms: DialogRequest["kind"][] = [
      "create",
      "edit",
      "renew",
      "delete",
      "signsIn",
      "signInKey",
      "ownKey",
      "offboard",
      "saveView",
      "keepFinding",
      "spread",
      "accepted",
      "rules",
    ];
    this.shown = this.shown
      .filter(({ kind }) => !forms.includes(kind))
      .map((dialog) =>
        dialog.kind === "confirm" && dialog.connection === undefined && connection !== null
          ? { ...dialog, connection }
          : dialog,
      );
  }

  /** Closes one dialog. */
  close(id: number): void {
    this.shown = this.shown.filter((dialog) => dialog.id !== id);
  }

  /** True while any dialog is open: single-key shortcuts rest. */
  get any(): boolean {
    return this.shown.length > 0;
  }

  #holds(held: string): boolean {
    return this.shown.some((dialog) => dialog.kind === "held" && dialog.held.held === held);
  }
}
