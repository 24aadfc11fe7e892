import type { HeldView, KeyView } from "./ipc";

/** One question before something is done. */
export interface Confirmation {
  title: string;
  /** What it is about: key, owner, connection; one line each. */
  lines: string[];
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
  | { kind: "create"; prefill?: NewKeyPrefill }
  | { kind: "held"; held: HeldView }
  | { kind: "edit"; key: KeyView }
  | { kind: "renew"; keys: KeyView[]; thenReactivate?: boolean }
  | { kind: "delete"; keys: KeyView[] }
  | ({ kind: "confirm" } & Confirmation)
  | { kind: "notice"; title: string; lines: string[] }
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
    if (request.kind === "outbox" || request.kind === "quit") {
      if (this.shown.some(({ kind }) => kind === request.kind)) return;
    }
    this.shown = [...this.shown, { ...request, id: this.#next++ }];
  }

  /** Asks one question. */
  confirm(question: Confirmation): void {
    this.open({ kind: "confirm", ...question });
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
