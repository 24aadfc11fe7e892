import { call, newOpId, toFailure } from "../ipc";
import type {
  CertificateChange,
  Colour,
  ConnectionView,
  ErrorCode,
  ErrorView,
  ProxyChoice,
} from "../ipc";
import { readCertificate, type Certificate } from "./certificate";

type FieldName = "name" | "certificate" | "proxy";

const FIELDS: Partial<Record<ErrorCode, FieldName>> = {
  nameEmpty: "name",
  nameTooLong: "name",
  nameHasControlCharacters: "name",
  certificateInvalid: "certificate",
  proxyInvalid: "proxy",
};

/** "Edit connection": how it is shown, and the way to its host. */
export class EditConnection {
  readonly connection: ConnectionView;
  name = $state("");
  colour = $state<Colour>("indigo");
  proxy = $state<ProxyChoice["kind"]>("system");
  proxyUrl = $state("");
  busy = $state(false);
  problem = $state.raw<ErrorView | null>(null);

  /** A certificate that was just chosen. */
  #chosen = $state.raw<Certificate | null>(null);
  /** The one it has is to go. */
  #removed = $state(false);
  #speaks = $state(false);
  readonly #saved: (connection: ConnectionView) => void;

  constructor(connection: ConnectionView, saved: (connection: ConnectionView) => void) {
    this.connection = connection;
    this.#saved = saved;
    this.name = connection.name;
    this.colour = connection.colour;
    this.proxy = connection.proxy.kind;
    this.proxyUrl = connection.proxy.kind === "custom" ? connection.proxy.url : "";
  }

  /** What the field shows: the certificate just chosen, else the one it has. */
  get certificate(): Pick<Certificate, "fileName"> | null {
    if (this.#chosen) return this.#chosen;
    return this.connection.hasCaCertificate && !this.#removed
      ? { fileName: "Its own certificate" }
      : null;
  }

  /** The certificate it has goes with "Save". */
  get removesCertificate(): boolean {
    return this.connection.hasCaCertificate && this.#removed && this.#chosen === null;
  }

  /** The server is asked before the change is kept. */
  get isOtherWay(): boolean {
    return (
      this.#chosen !== null ||
      this.removesCertificate ||
      this.proxy !== this.connection.proxy.kind ||
      (this.connection.proxy.kind === "custom" &&
        this.proxyUrl.trim() !== this.connection.proxy.url)
    );
  }

  /** What is wrong with a field, in words. */
  errorOf(field: FieldName): string | null {
    if (this.problem && FIELDS[this.problem.code] === field) return this.problem.message;
    if (!this.#speaks) return null;
    if (field === "name" && this.name.trim() === "") return "Give the connection a name.";
    if (field === "proxy" && this.proxy === "custom" && this.proxyUrl.trim() === "") {
      return "Type the proxy's address, such as http://proxy.example:3128.";
    }
    return null;
  }

  /** What belongs to no field. */
  get generalProblem(): ErrorView | null {
    return this.problem && !FIELDS[this.problem.code] ? this.problem : null;
  }

  /** A field was changed: what was said of it no longer holds. */
  edited(): void {
    this.problem = null;
  }

  /** Takes the file that was chosen as CA certificate. */
  async chooseCertificate(file: File | undefined): Promise<void> {
    if (!file) return;
    const read = await readCertificate(file);
    if ("pem" in read) {
      this.#chosen = read;
      this.problem = null;
    } else this.problem = read;
  }

  /** Back to the system's authorities; a certificate just chosen is dropped first. */
  removeCertificate(): void {
    this.problem = null;
    if (this.#chosen) this.#chosen = null;
    else this.#removed = true;
  }

  /** Saves; true when it is done. */
  async save(): Promise<boolean> {
    if (this.busy) return false;
    this.#speaks = true;
    this.problem = null;
    if (this.errorOf("name") || this.errorOf("proxy")) return false;
    this.busy = true;
    try {
      this.#saved(
        await call("edit_connection", {
          opId: newOpId(),
          connection: this.connection.id,
          name: this.name.trim(),
          colour: this.colour,
          certificate: this.#change(),
          proxy:
            this.proxy === "custom"
              ? { kind: "custom", url: this.proxyUrl.trim() }
              : { kind: this.proxy },
        }),
      );
      return true;
    } catch (thrown) {
      this.problem = toFailure(thrown);
      return false;
    } finally {
      this.busy = false;
    }
  }

  #change(): CertificateChange {
    if (this.#chosen) return { kind: "replace", pem: this.#chosen.pem };
    return { kind: this.removesCertificate ? "remove" : "keep" };
  }
}
