import { call, newOpId, toFailure } from "../ipc";
import type {
  AddressView,
  Colour,
  ConnectionView,
  ConnectView,
  DemoPerson,
  ErrorCode,
  ErrorView,
  ProxyChoice,
  SignIn,
  SignInMethod,
} from "../ipc";
import { written } from "../keys/names";
import { readCertificate, type Certificate } from "./certificate";

/** Wait for a pause in typing, in milliseconds. */
const PAUSE = 200;

/** The field a failure belongs to. */
type FieldName =
  "address" | "apiKey" | "email" | "organization" | "password" | "certificate" | "proxy";

const FIELDS: Partial<Record<ErrorCode, FieldName>> = {
  addressEmpty: "address",
  addressInvalid: "address",
  addressHasCredentials: "address",
  addressNotSecure: "address",
  keyMalformed: "apiKey",
  organizationNeeded: "organization",
  certificateInvalid: "certificate",
  proxyInvalid: "proxy",
};

/** "Connect to Palette": a new connection, or one that needs its sign-in again. */
export class Connect {
  address = $state("api.spectrocloud.com");
  /** What the typed address comes to. */
  understood = $state.raw<AddressView | null>(null);
  method = $state<SignInMethod>("apiKey");
  apiKey = $state("");
  email = $state("");
  organization = $state("");
  password = $state("");
  name = $state("");
  colour = $state<Colour>("indigo");
  certificate = $state.raw<Certificate | null>(null);
  proxy = $state<ProxyChoice["kind"]>("system");
  proxyUrl = $state("");
  /** What is under way. */
  busy = $state<"connect" | "admin" | "user" | null>(null);
  problem = $state.raw<ErrorView | null>(null);
  /** Who you are, once connected. */
  connected = $state.raw<ConnectView | null>(null);

  /** The connection that is signed in to again; none: a new one. */
  readonly again: ConnectionView | null;
  readonly #done: (view: ConnectView) => void;
  #addressProblem = $state.raw<ErrorView | null>(null);
  #speaks = $state(false);
  #turn = 0;
  #pause: ReturnType<typeof setTimeout> | undefined;

  constructor(done: (view: ConnectView) => void, again: ConnectionView | null = null) {
    this.#done = done;
    this.again = again;
    if (!again) return;
    this.address = again.origin;
    this.method = again.method;
    this.email = again.email ?? "";
    this.organization = again.organization ?? "";
  }

  /** What is wrong with a field, in words. */
  errorOf(field: FieldName): string | null {
    if (this.problem && FIELDS[this.problem.code] === field) return this.problem.message;
    if (field === "address") return this.#addressProblem?.message ?? null;
    if (!this.#speaks) return null;
    if (field === "apiKey" && this.method === "apiKey" && this.apiKey.trim() === "") {
      return "Paste an API key.";
    }
    if (this.method === "password") {
      if (field === "email" && this.email.trim() === "") return "Type your email.";
      if (field === "password" && this.password === "") return "Type your password.";
    }
    if (field === "proxy" && this.proxy === "custom" && this.proxyUrl.trim() === "") {
      return "Type the proxy's address, such as http://proxy.example:3128.";
    }
    return null;
  }

  /** What belongs to no field. */
  get generalProblem(): ErrorView | null {
    return this.problem && !FIELDS[this.problem.code] ? this.problem : null;
  }

  /** The keychain stands in the way of a new connection: it may be kept in memory instead. */
  get mayKeepInMemory(): boolean {
    return !this.again && this.problem?.code.startsWith("keychain") === true;
  }

  /** "Will connect to https://…", when that is not plainly what was typed. */
  get addressNote(): string | null {
    return this.understood?.adjusted ? `Will connect to ${this.understood.origin}` : null;
  }

  /** A field was changed: what was said of it no longer holds. */
  edited(): void {
    this.problem = null;
  }

  /** After a keystroke in the address. */
  typedAddress(): void {
    this.problem = null;
    this.#addressProblem = null;
    clearTimeout(this.#pause);
    this.#pause = setTimeout(() => void this.understand(), PAUSE);
  }

  /** Asks what the typed address comes to. True when it is usable. */
  async understand(): Promise<boolean> {
    clearTimeout(this.#pause);
    const turn = ++this.#turn;
    try {
      const view = await call("parse_address", { address: this.address });
      if (turn === this.#turn) {
        this.understood = view;
        this.#addressProblem = null;
      }
      return true;
    } catch (thrown) {
      if (turn === this.#turn) {
        this.understood = null;
        this.#addressProblem = toFailure(thrown);
      }
      return false;
    }
  }

  /** Takes the file that was chosen as CA certificate. */
  async chooseCertificate(file: File | undefined): Promise<void> {
    if (!file) return;
    this.problem = null;
    const read = await readCertificate(file);
    if ("pem" in read) this.certificate = read;
    else this.problem = read;
  }

  removeCertificate(): void {
    this.certificate = null;
  }

  /** Signs in. `inMemoryOnly` keeps the credential until quit instead of in the keychain. */
  async connect(inMemoryOnly = false): Promise<void> {
    if (this.busy) return;
    this.#speaks = true;
    this.problem = null;
    if ((["apiKey", "email", "password", "proxy"] as const).some((field) => this.errorOf(field))) {
      return;
    }
    this.busy = "connect";
    try {
      if (!this.again && !(await this.understand())) return;
      const opId = newOpId();
      this.#take(
        this.again
          ? await call("sign_in", { opId, connection: this.again.id, signIn: this.#signIn() })
          : await call("connect", {
              opId,
              address: this.address.trim(),
              signIn: this.#signIn(),
              name: this.name.trim(),
              colour: this.colour,
              caCertificate: this.certificate?.pem ?? null,
              proxy:
                this.proxy === "custom"
                  ? { kind: "custom", url: this.proxyUrl.trim() }
                  : { kind: this.proxy },
              inMemoryOnly,
            }),
      );
    } catch (thrown) {
      this.problem = toFailure(thrown);
    } finally {
      this.busy = null;
    }
  }

  /** Opens the tenant inside the app, as one of its people. */
  async openDemo(person: DemoPerson): Promise<void> {
    if (this.busy) return;
    this.problem = null;
    this.busy = person;
    try {
      this.#take(await call("open_demo", { opId: newOpId(), person }));
    } catch (thrown) {
      this.problem = toFailure(thrown);
    } finally {
      this.busy = null;
    }
  }

  /** Stops what is still to come; the screen is gone. */
  close(): void {
    clearTimeout(this.#pause);
    this.#turn++;
    this.#forget();
  }

  #signIn(): SignIn {
    return this.method === "apiKey"
      ? { method: "apiKey", apiKey: this.apiKey.trim() }
      : {
          method: "password",
          email: this.email.trim(),
          organization: this.organization.trim(),
          password: this.password,
        };
  }

  #take(view: ConnectView): void {
    this.#forget();
    this.connected = view;
    this.#done(view);
  }

  /** What was typed stays no longer than it is needed. */
  #forget(): void {
    this.apiKey = "";
    this.password = "";
  }
}

/** Who you are, what you may see, and where secrets go: the line after connecting. */
export function whoYouAre({ connection, keychain }: ConnectView): string {
  const identity = connection.identity;
  const parts: string[] = [];
  if (identity) {
    const organization = written(identity.organization);
    const as = identity.email && identity.email !== identity.name ? ` (${identity.email})` : "";
    parts.push(`You are ${written(identity.name)}${as} in ${organization}.`);
    parts.push(
      identity.sees === "everyKey"
        ? `You see every key of ${organization}.`
        : "You see your own keys.",
    );
  }
  if (connection.inMemoryOnly) parts.push("Your sign-in is kept in memory until you quit.");
  else if (keychain.state === "ready") parts.push(`${keychain.name} holds your secrets.`);
  return parts.join(" ");
}
