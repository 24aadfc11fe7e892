/**
 * A shell in memory: the same commands and events, for vitest and for looking at the window in
 * an ordinary browser. It is never part of the app.
 */
import type {
  BulkRunView,
  BulkView,
  Act,
  ActivityView,
  AuditView,
  BackgroundView,
  Commands,
  ConnectionView,
  ErrorCode,
  ErrorView,
  Events,
  ExpiryChoice,
  HeldView,
  Host,
  KeychainView,
  KeyListView,
  KeyView,
  LostCreationView,
  OutboxEnd,
  OutboxItemView,
  OutboxView,
  PolicyView,
  RollRequest,
  RollView,
  Settings,
  StartView,
} from "../src/lib/ipc";
import { isConfirmed } from "../src/lib/keys/names";
import { fakePolicy, fakeReview, fakeSpread, type FakeAccepted } from "./fake-review";
import { NOW, tenantKeys, tenantPeople } from "./fake-tenant";

export { NOW } from "./fake-tenant";

const DAY = 86_400_000;

/** A roll whose old key goes on until its end. */
const ROLLING = {
  step: "rolling",
  problem: null,
  held: null,
  mayExtend: true,
  mayEndNow: true,
  mayCancel: true,
  mayContinue: false,
} satisfies Partial<RollView>;

/** How the fake tenant is. */
export interface FakeOptions {
  /** Number of invented keys instead of the 38 of the comp. */
  size?: number;
  /** Exactly these keys. */
  keys?: KeyView[];
  person?: "admin" | "user";
  /** No connection yet: the Connect screen. */
  first?: boolean;
  state?: ConnectionView["state"];
  /** Why the state is "offline"; without it the host cannot be reached. */
  problem?: Fault;
  keychain?: KeychainView["state"];
  demo?: boolean;
  inMemoryOnly?: boolean;
  /** How the open connection signs in. */
  signIn?: Partial<ConnectionView["signIn"]>;
  method?: ConnectionView["method"];
  appearance?: Settings["appearance"];
  lost?: boolean;
  /** Keys that the server gave and that could not be understood. */
  skipped?: number;
  held?: boolean;
  locked?: boolean;
  /** What waits in the outbox from the start. */
  outbox?: Partial<OutboxItemView>[];
  damaged?: string[];
  sentElsewhere?: boolean;
  background?: Partial<BackgroundView>;
  /**
   * Milliseconds after which the sender confirms each record of a bulk act; null: it never does,
   * and a test says what becomes of it.
   */
  sends?: number | null;
  /** Names of keys that a bulk act is refused for. */
  refuses?: string[];
  /** Milliseconds an answer takes. */
  delay?: number;
  now?: () => number;
}

/** A fault the next call of a command meets. */
export interface Fault {
  code: ErrorCode;
  message?: string;
  details?: ErrorView["details"];
}

type Handlers = {
  [K in keyof Commands]: (
    request: Commands[K]["request"],
  ) => Commands[K]["view"] | Promise<Commands[K]["view"]>;
};

/** What a test can reach into. */
export interface FakeHost extends Host {
  keys: KeyView[];
  connections: ConnectionView[];
  settings: Settings;
  outbox: OutboxView;
  /** Rolls that are not over. */
  rolls: RollView[];
  /** What of the policy file differs from the fake tenant's. */
  policy: Partial<PolicyView>;
  keychain: KeychainView;
  /** The app is locked. */
  locked: boolean;
  background: BackgroundView;
  /** Makes one record from parts and puts it into the outbox, as another process or the tray does. */
  record(part?: Partial<OutboxItemView>): OutboxItemView;
  /** Changes one record and tells of it. */
  changeRecord(record: string, part: Partial<OutboxItemView>): void;
  /** Ends one record: confirmed unless told otherwise. */
  end(record: string, end?: OutboxEnd): void;
  /** Every call so far, in order. */
  calls: { name: string; request: unknown }[];
  /** Makes every call of a command fail until it is set to null. */
  fail(name: keyof Commands, fault: Fault | null): void;
  /** Holds the answers of a command back until the returned function is called. */
  hold(name: keyof Commands): () => void;
  /** Replaces one command. */
  answer<K extends keyof Commands>(name: K, handler: Handlers[K]): void;
  emit<K extends keyof Events>(event: K, payload: Events[K]): void;
  /** Says that the keys of the open connection changed. */
  keysChanged(): void;
}

function fault({ code, message, details }: Fault): ErrorView {
  return { code, message: message ?? "Nothing was changed.", details: details ?? null };
}

/** Makes one. */
export function fakeHost(options: FakeOptions = {}): FakeHost {
  const now = options.now ?? (() => NOW);
  const user = options.person === "user";
  const connection: ConnectionView = {
    id: "acme",
    name: options.demo ? "Demo tenant" : "acme",
    colour: "indigo",
    host: options.demo ? "127.0.0.1:8787" : "api.spectrocloud.com",
    origin: options.demo ? "http://127.0.0.1:8787" : "https://api.spectrocloud.com",
    method: options.method ?? "apiKey",
    email: null,
    organization: "acme",
    demo: options.demo ?? false,
    hasCaCertificate: false,
    proxy: { kind: "system" },
    state: options.state ?? "signedIn",
    identity: {
      userUid: "5f0000000000000000000001",
      tenantUid: "5e0000000000000000000001",
      organization: "acme",
      name: "Jane Doe",
      email: "jane.doe@acme.example",
      roles: [user ? "Cluster Profile Viewer" : "Tenant Admin"],
      sees: user ? "ownKeys" : "everyKey",
      mayCreateForOthers: !user,
      mayListPeople: !user,
      mayReadAudits: !user,
    },
    problem: options.problem ? fault(options.problem) : null,
    inMemoryOnly: options.inMemoryOnly ?? false,
    signIn: {
      uid: "66f2b1c04bab2337f20c0041",
      name: "palette-keys on lark",
      expires: NOW + 25.4 * DAY,
      own: true,
      renews: true,
      asks: false,
      offers: false,
      problem: null,
      ...options.signIn,
    },
  };
  const lab: ConnectionView = {
    ...connection,
    id: "lab",
    name: "lab",
    colour: "teal",
    host: "palette.lab.example",
    origin: "https://palette.lab.example",
  };

  let all = options.keys ?? tenantKeys(options.size);
  if (user) all = all.filter((key) => key.mine);

  const keychain: KeychainView = {
    state: options.keychain ?? "ready",
    name: "GNOME Keyring",
    advice:
      (options.keychain ?? "ready") === "ready"
        ? null
        : "Unlock it in Passwords and Keys, then try again.",
  };
  const candidate = all[1];
  const lost: LostCreationView[] =
    options.lost && candidate
      ? [
          {
            creation: "lost-1",
            connection: "acme",
            name: candidate.name,
            askedAt: NOW - 120_000,
            candidates: [candidate],
            looked: true,
          },
        ]
      : [];
  const handlers = new Map<string, (request: never) => unknown>();
  const faults = new Map<string, Fault>();
  const holds = new Map<string, Promise<void>>();
  const ears = new Map<string, Set<(payload: unknown) => void>>();
  let asOf = NOW;
  let made = 0;
  /** The state of the list; moved on by what a test says has changed. */
  let revision = 0;
  let held: HeldView[] = [];
  let accepted: FakeAccepted[] = [];
  let activity: ActivityView[] = history();

  function history(): ActivityView[] {
    const line = (
      id: number,
      at: number,
      act: ActivityView["act"],
      detail: string,
    ): ActivityView => ({
      id,
      at,
      connection: "acme",
      connectionName: "acme",
      act,
      state: "done",
      keyUid: "66e844c44bab2337f20c7471",
      keyName: "ci-prod",
      ownerName: "Jane Doe",
      detail,
      changes: [],
      canUndo: false,
      undoes: null,
    });
    return [
      line(4, NOW - 11 * DAY, "edit", "Description changed"),
      line(3, NOW - 20 * DAY, "reactivate", "Sent: re-activate. Read back: active."),
      line(2, NOW - 20.014 * DAY, "revoke", "PUT state → 204, read back: revoked"),
      line(1, NOW - 25 * DAY, "create", "Created, saved to keychain"),
    ];
  }

  function audits(): AuditView[] {
    const entry = (at: number, action: string, verb: string, actor: string): AuditView => ({
      uid: `audit-${at}`,
      at,
      localAt: at,
      action,
      message: `API key 'ci-prod' ${verb}`,
      note: "",
      actor,
      keyUid: "66e844c44bab2337f20c7471",
      keyName: "ci-prod",
    });
    return [
      entry(NOW - 2 * DAY, "update", "updated", "Ana Ruiz"),
      entry(NOW - 20 * DAY + 1_000, "update", "activated", "Jane Doe"),
      entry(NOW - 25 * DAY, "create", "created", "Jane Doe"),
    ];
  }

  const find = (uid: string): KeyView => {
    const key = host.keys.find((each) => each.uid === uid);
    if (!key) throw fault({ code: "keyGone", message: "The key is not on the server any more." });
    return key;
  };
  const change = (uid: string, part: Partial<KeyView>): KeyView => {
    const key = { ...find(uid), ...part, modified: now() };
    const ended = key.expires !== null && key.expires <= now();
    if (key.status !== "revoked") {
      const soon = key.expires !== null && key.expires <= now() + host.settings.leadDays * DAY;
      key.status = ended ? "expired" : soon ? "expiring" : "active";
    }
    host.keys = host.keys.map((each) => (each.uid === uid ? key : each));
    return key;
  };
  let records = 0;
  const itemOf = (part: Partial<OutboxItemView>): OutboxItemView => {
    const uid = part.keyUid ?? host.keys[0]?.uid ?? "66e844c44bab2337f20c7471";
    const key = host.keys.find((each) => each.uid === uid);
    return {
      record: `record-${++records}`,
      connection: "acme",
      connectionName: connection.name,
      keyUid: uid,
      keyName: key?.name ?? "",
      ownerName: key?.ownerName ?? "",
      action: "revoke",
      askedAt: now(),
      attempts: 0,
      state: "waiting",
      problem: null,
      lastTriedAt: null,
      nextTryAt: null,
      recorded: true,
      ...part,
    };
  };
  const endOf = (choice: ExpiryChoice): number => {
    const at =
      choice.kind === "days"
        ? now() + choice.days * DAY
        : new Date(`${choice.date}T${choice.time}`).getTime();
    if (Number.isNaN(at)) throw fault({ code: "expiryNotATime" });
    if (at <= now()) throw fault({ code: "expiryPast", message: "That moment is in the past." });
    return at;
  };
  const flagged = (key: KeyView): KeyView =>
    host.outbox.items.some(({ keyUid }) => keyUid === key.uid)
      ? { ...key, flags: [...key.flags, "revoking"] }
      : key;
  /** What the window has: as the shell does, only what differs is given to it again. */
  let given = { snapshot: 0, keys: new Map<string, string>() };
  const differing = (have: number | undefined) => {
    const all = host.keys.map(flagged);
    const now = new Map(all.map((key) => [key.uid, JSON.stringify(key)]));
    const { snapshot, keys: before } = given;
    const since = have === snapshot && snapshot > 0 ? snapshot : null;
    given = { snapshot: snapshot + 1, keys: now };
    return {
      keys: since === null ? all : all.filter(({ uid }) => before.get(uid) !== now.get(uid)),
      gone: since === null ? [] : [...before.keys()].filter((uid) => !now.has(uid)),
      snapshot: snapshot + 1,
      since,
    };
  };
  /** The server was asked for the list. */
  let tried = false;
  const list = (have?: number): KeyListView => ({
    connection: "acme",
    ...differing(have),
    skipped: options.skipped ?? 0,
    people: user ? [] : tenantPeople(host.keys),
    asOf,
    problem:
      options.state === "offline" && tried
        ? fault(
            options.problem ?? {
              code: "hostUnreachable",
              message: "api.spectrocloud.com could not be reached.",
            },
          )
        : null,
    clockOffset: 0,
    revision,
    quota: 20,
    ownKeys: host.keys.filter((key) => key.mine).length,
    ownUserUid: "5f0000000000000000000001",
    lostCreations: [...lost],
    rolls: host.rolls,
  });
  const startView = (begins: boolean): StartView => ({
    version: "0.1.0",
    connections: host.connections,
    active: host.connections[0]?.id ?? null,
    settings: host.settings,
    keychain: host.keychain,
    held,
    demo: true,
    notices: [],
    list: begins && host.connections.length > 0 ? list() : null,
  });
  const heldOf = (id: string): HeldView => {
    const found = held.find((each) => each.held === id);
    if (!found) throw fault({ code: "valueGone" });
    return found;
  };
  const changeHeld = (id: string, part: Partial<HeldView>): HeldView => {
    const next = { ...heldOf(id), ...part };
    held = held.map((each) => (each.held === id ? next : each));
    return next;
  };
  const newHeld = (
    name: string,
    uid: string,
    expires: number | null,
    saved: boolean,
  ): HeldView => ({
    held: `held-${++made}`,
    connection: "acme",
    uid,
    name,
    ownerName: "Jane Doe",
    organization: "acme",
    expires,
    length: 32,
    saved: saved ? { kind: "saved" } : { kind: "notAsked" },
    proof: { kind: "works", actsAs: "Jane Doe" },
    kept: saved,
  });
  const arm = () => {
    const view = { state: "armed" as const, clearsIn: host.settings.clipboardSeconds * 1000 };
    host.emit("clipboard", view);
    return view;
  };
  const joinDemo = (person: string) => {
    const joined: ConnectionView = { ...connection, id: "demo", name: `Demo tenant`, demo: true };
    host.connections = [...host.connections.filter(({ id }) => id !== "demo"), joined];
    void person;
    return { connection: joined, keychain };
  };

  const tellOutbox = () => host.emit("outbox-changed", structuredClone(host.outbox));
  const send = (uids: string[], action: OutboxItemView["action"], step: number) => {
    const [uid, ...rest] = uids;
    if (uid === undefined) return;
    setTimeout(() => {
      const item = host.outbox.items.find((each) => each.keyUid === uid && each.action === action);
      if (item) host.end(item.record);
      send(rest, action, step);
    }, step);
  };

  let runs: BulkRunView[] = [];
  const graceOf = (grace: RollRequest["grace"]) =>
    ({ now: 0, hour: DAY / 24, day: DAY, week: 7 * DAY, month: 30 * DAY })[grace];
  /** Links the two keys of a roll and moves the old one's end. */
  const paired = ({ roll: id, oldUid, oldName, newUid, newName }: RollView, ends: number) => {
    change(oldUid, {
      expires: ends,
      pair: { roll: id, role: "old", uid: newUid, name: newName, ends },
    });
    if (newUid)
      change(newUid, { pair: { roll: id, role: "new", uid: oldUid, name: oldName, ends } });
  };
  const roll = (request: RollRequest): { roll: RollView | null } => {
    const old = find(request.uid);
    const uid = `88e844c44bab2337f20c${String(++made).padStart(4, "0")}`;
    const expires = endOf(request.expiry);
    host.keys = [
      ...host.keys,
      {
        ...old,
        uid,
        name: request.name,
        created: now(),
        modified: null,
        expires,
        status: "active",
      },
    ];
    if (request.grace === "now") {
      change(old.uid, { status: "revoked" });
      return { roll: null };
    }
    const wanted = now() + graceOf(request.grace);
    const ends = old.expires !== null && old.expires < wanted ? old.expires : wanted;
    const one: RollView = {
      roll: request.opId,
      connection: "acme",
      purpose: old.flags.includes("signsIn") ? "signIn" : "ordinary",
      oldUid: old.uid,
      oldName: old.name,
      newUid: uid,
      newName: request.name,
      ownerName: old.ownerName,
      mine: old.mine,
      ...ROLLING,
      grace: request.grace,
      oldEnds: ends,
      oldEndedBefore: old.expires,
    };
    change(uid, { flags: old.mine ? ["inKeychain"] : [] });
    if (!old.mine) {
      const handed = { ...newHeld(request.name, uid, expires, false), held: request.opId };
      held = [...held, { ...handed, ownerName: old.ownerName, proof: { kind: "notTried" } }];
      const waits: RollView = {
        ...one,
        step: "handOver",
        oldEnds: null,
        held: held.at(-1) ?? null,
        mayExtend: false,
        mayEndNow: false,
      };
      host.rolls = [...host.rolls, waits];
      return { roll: waits };
    }
    host.rolls = [...host.rolls, one];
    paired(one, ends);
    return { roll: one };
  };

  const commands: Handlers = {
    start: ({ begins }) => {
      if (host.locked) throw fault({ code: "appLocked", message: "Unlock it to go on." });
      return startView(begins);
    },
    hears: () => null,
    shows: () => null,
    painted: () => null,
    parse_address: ({ address }) => {
      const text = address.trim();
      if (text === "") throw fault({ code: "addressEmpty", message: "No address was typed." });
      let url: URL;
      try {
        url = new URL(/^[a-z]+:\/\//i.test(text) ? text : `https://${text}`);
      } catch {
        throw fault({ code: "addressInvalid", message: "That is not an address." });
      }
      if (url.protocol === "http:" && !/^(localhost|127\.)/.test(url.hostname)) {
        throw fault({ code: "addressNotSecure", message: "Plain http is only for this computer." });
      }
      const adjusted = text !== url.host && text !== url.origin;
      return { origin: url.origin, host: url.host, adjusted };
    },
    connect: ({ name, colour, inMemoryOnly }) => {
      const joined = {
        ...connection,
        id: `c${++made}`,
        name: name || "acme",
        colour,
        inMemoryOnly,
      };
      host.connections = [...host.connections, joined];
      return { connection: joined, keychain };
    },
    sign_in: ({ connection: id }) => {
      host.connections = host.connections.map((each) =>
        each.id === id ? { ...each, state: "signedIn", problem: null } : each,
      );
      return {
        connection: host.connections.find((each) => each.id === id) ?? connection,
        keychain,
      };
    },
    open_demo: ({ person }) => joinDemo(person),
    select_connection: ({ connection: id }) =>
      host.connections.find((each) => each.id === id) ?? connection,
    edit_connection: ({ connection: id, name, colour, certificate, proxy }) => {
      const has = (before: boolean) =>
        certificate.kind === "keep" ? before : certificate.kind === "replace";
      host.connections = host.connections.map((each) =>
        each.id === id
          ? { ...each, name, colour, proxy, hasCaCertificate: has(each.hasCaCertificate) }
          : each,
      );
      return host.connections.find((each) => each.id === id) ?? connection;
    },
    connection_removal: () => ({
      stored: ["ci-prod", "grafana"],
      hasCredential: true,
      waiting: 0,
      notKept: null,
    }),
    change_sign_in: ({ connection: id, change: said }) => {
      const one = host.connections.find((each) => each.id === id) ?? connection;
      const key = said.kind === "key" ? find(said.uid) : null;
      const signIn = {
        key: { ...one.signIn, uid: key?.uid ?? null, name: key?.name ?? null, asks: false },
        notKnown: { ...one.signIn, uid: null, name: null, expires: null, asks: false },
        keepPassword: { ...one.signIn, offers: false },
        renew: { ...one.signIn, renews: said.kind === "renew" && said.on },
      }[said.kind];
      host.connections = host.connections.map((each) =>
        each.id === id ? { ...one, signIn } : each,
      );
      return { ...one, signIn };
    },
    make_own_key: ({ connection: id }) => {
      const one = host.connections.find((each) => each.id === id) ?? connection;
      const made: ConnectionView = {
        ...one,
        method: "apiKey",
        signIn: {
          ...one.signIn,
          name: "palette-keys on lark",
          own: true,
          renews: true,
          offers: false,
        },
      };
      host.connections = host.connections.map((each) => (each.id === id ? made : each));
      return made;
    },
    remove_connection: ({ connection: id }) => {
      host.connections = host.connections.filter((each) => each.id !== id);
      return startView(false);
    },
    list_keys: ({ refresh, have }) => {
      if (refresh) tried = true;
      if (refresh && options.state !== "offline") asOf = now();
      return list(have);
    },
    key_details: ({ uid }) => {
      const key = find(uid);
      return {
        key,
        roles: key.ownerState === "gone" ? null : ["Tenant Admin"],
        owner:
          key.ownerState === "gone" || user
            ? null
            : {
                name: key.ownerName,
                email: key.ownerEmail ?? "",
                active: key.ownerState !== "inactive",
                lastSignIn: now() - 3 * DAY,
                roles: [
                  { name: "Tenant Admin", allows: "may create, edit, revoke and delete every key" },
                ],
              },
        storedIn: key.flags.includes("inKeychain") ? "GNOME Keyring, this computer" : null,
        history: activity.filter((line) => line.keyUid === uid),
      };
    },
    read_key: ({ uid }) => find(uid),
    resolve_expiry: ({ choice }) => {
      const at = endOf(choice);
      const words = (zone?: string) =>
        new Intl.DateTimeFormat("en-GB", {
          weekday: "short",
          day: "numeric",
          month: "short",
          year: "numeric",
          hour: "2-digit",
          minute: "2-digit",
          timeZoneName: "short",
          timeZone: zone,
        })
          .format(at)
          .replace(/^(\w+),/, "$1");
      return { at, local: words(), utc: words("UTC"), days: Math.ceil((at - now()) / DAY) };
    },
    create_key: ({ name, description, expiry, saveToKeychain, ownerUid }) => {
      const expires = endOf(expiry);
      const owner = tenantPeople(host.keys).find(({ uid }) => uid === ownerUid);
      const uid = `77e844c44bab2337f20c${String(++made).padStart(4, "0")}`;
      host.keys = [
        ...host.keys,
        {
          ...(tenantKeys()[0] as KeyView),
          uid,
          name,
          description,
          ownerUid: owner?.uid ?? "5f0000000000000000000001",
          ownerName: owner?.name ?? "Jane Doe",
          mine: !owner || owner.name === "Jane Doe",
          created: now(),
          modified: null,
          expires,
          status: "active",
          flags: saveToKeychain ? ["inKeychain"] : [],
        },
      ];
      const one = newHeld(name, uid, expires, saveToKeychain);
      held = [...held, one];
      host.keysChanged();
      return { kind: "created", held: one };
    },
    settle_creation: ({ act }) => {
      if (act.kind !== "look") lost.length = 0;
      return { lost: lost[0] ?? null };
    },
    edit_key: ({ uid, name, description, expiry }) => ({
      kind: "saved",
      key: change(uid, { name, description, ...(expiry ? { expires: endOf(expiry) } : {}) }),
    }),
    renew_key: ({ uid, expiry }) => ({ key: change(uid, { expires: endOf(expiry) }) }),
    roll_offer: ({ uid }) => {
      const key = find(uid);
      return {
        name: `${key.name}-2026-11-23`,
        mine: key.mine,
        signsIn: key.flags.includes("signsIn"),
        ownerKeys: host.keys.filter(({ ownerUid }) => ownerUid === key.ownerUid).length,
        quota: 20,
      };
    },
    roll_key: (request) => roll(request),
    act_on_roll: ({ roll: id, act }) => {
      const running = host.rolls.find((each) => each.roll === id);
      if (!running) throw fault({ code: "rollOver" });
      if (act.kind === "extend") {
        const oldEnds = now() + graceOf(act.grace);
        host.rolls = host.rolls.map((each) => (each.roll === id ? { ...each, oldEnds } : each));
        paired(running, oldEnds);
        return { roll: host.rolls.find((each) => each.roll === id) ?? null };
      }
      if (act.kind === "continue") {
        const oldEnds = now() + graceOf(running.grace);
        const on: RollView = { ...running, ...ROLLING, oldEnds };
        host.rolls = host.rolls.map((each) => (each.roll === id ? on : each));
        paired(on, oldEnds);
        return { roll: on };
      }
      host.rolls = host.rolls.filter((each) => each.roll !== id);
      for (const uid of [running.oldUid, running.newUid]) if (uid) change(uid, { pair: null });
      if (act.kind === "endNow") change(running.oldUid, { status: "revoked" });
      else {
        if (running.newUid) change(running.newUid, { status: "revoked" });
        change(running.oldUid, { expires: running.oldEndedBefore });
      }
      return { roll: null };
    },
    revoke_key: ({ uid }) => ({
      kind: "confirmed",
      key: change(uid, { status: "revoked" }),
      refusedAt: null,
    }),
    revoke_signing_key: ({ uid }) => ({
      kind: "confirmed",
      key: change(uid, { status: "revoked" }),
      refusedAt: null,
    }),
    reactivate_key: ({ uid }) => {
      const { expires } = find(uid);
      if (expires !== null && expires <= now()) throw fault({ code: "keyIsExpired" });
      return { key: change(uid, { status: "active" }) };
    },
    delete_key: ({ uid, typedName }) => {
      if (!isConfirmed(typedName, find(uid).name, uid)) throw fault({ code: "nameMismatch" });
      host.keys = host.keys.filter((key) => key.uid !== uid);
      return { uid, removedFromKeychain: true };
    },
    bulk_keys: async ({ opId, connection: id, uids, act }) => {
      const view: BulkView = {
        changed: [],
        ends: [],
        failed: [],
        skipped: [],
        untouched: [],
        cutOff: null,
      };
      let run = { opId, connection: id, act, done: 0, failed: 0, of: uids.length, stopping: false };
      const tell = (part: Partial<BulkRunView>) => {
        run = { ...run, ...part };
        runs = [...runs.filter((each) => each.opId !== opId), run];
        host.emit("bulk-changed", run);
      };
      tell({});
      for (const uid of uids) {
        if (runs.some((each) => each.opId === opId && each.stopping)) {
          view.untouched.push(uid);
          continue;
        }
        await new Promise((done) => setTimeout(done, options.sends ?? 0));
        const before = find(uid);
        const met = options.refuses?.includes(before.name);
        if (met) {
          const problem = fault({ code: "forbidden", message: "You may not." });
          view.failed.push({ uid, name: before.name, problem });
        } else {
          const planned = act.kind === "move" ? act.ends.find((each) => each.uid === uid) : null;
          const end =
            act.kind === "renew" ? endOf(act.expiry) : planned ? planned.after : before.expires;
          const back = act.kind === "reactivate" || (act.kind === "renew" && act.reactivate);
          const old = act.kind === "restore" ? act.ends.find((each) => each.uid === uid) : null;
          view.changed.push(
            change(uid, {
              expires: old ? old.before : end,
              ...(back ? { status: "active" as const } : {}),
            }),
          );
          if (act.kind === "renew" || planned)
            view.ends.push({ uid, before: before.expires, after: end });
        }
        const stopping = runs.some((each) => each.opId === opId && each.stopping);
        tell({ done: run.done + 1, failed: view.failed.length, stopping });
      }
      runs = runs.filter((each) => each.opId !== opId);
      return view;
    },
    bulk_runs: () => runs,
    stop_bulk: ({ opId }) => {
      runs = runs.map((each) => (each.opId === opId ? { ...each, stopping: true } : each));
      return null;
    },
    export_report: ({ format, uids }) => ({
      file: `acme keys 2026-11-25.${format}`,
      keys: uids?.length ?? host.keys.length,
    }),
    export_offboard_report: ({ format, name, uids }) => ({
      file: `acme offboarding ${name} 2026-11-25.${format}`,
      keys: uids.length,
    }),
    outbox: () => host.outbox,
    add_to_outbox: ({ action, uids }) => {
      const isOpen = (uid: string) =>
        host.outbox.items.some((item) => item.keyUid === uid && item.action === action);
      const added = uids
        .filter((uid) => !isOpen(uid))
        .map((uid) => itemOf({ keyUid: uid, action }));
      host.outbox = { ...host.outbox, items: [...host.outbox.items, ...added] };
      tellOutbox();
      const { sends = 0 } = options;
      if (sends !== null) send(uids, action, sends);
      return host.outbox;
    },
    retry_outbox: ({ record }) => {
      host.outbox = {
        ...host.outbox,
        items: host.outbox.items.map((item) =>
          record === null || item.record === record ? { ...item, nextTryAt: null } : item,
        ),
      };
      tellOutbox();
      return host.outbox;
    },
    give_up: ({ records, unsentOnly }) => {
      for (const record of records) {
        const item = host.outbox.items.find((each) => each.record === record);
        if (item && (!unsentOnly || item.attempts === 0)) host.end(record, { kind: "givenUp" });
      }
      return host.outbox;
    },
    background: () => host.background,
    pause_notices: ({ until }) => {
      host.background = { ...host.background, pausedUntil: until };
      host.emit("background", host.background);
      return host.background;
    },
    quit: () => null,
    held_values: () => held,
    save_held_to_keychain: ({ held: id }) =>
      changeHeld(id, { saved: { kind: "saved" }, kept: true }),
    save_held_to_file: ({ held: id }) => changeHeld(id, { kept: true }),
    finish_held: ({ held: id }) => {
      held = held.filter((each) => each.held !== id);
      return null;
    },
    copy_value: ({ source }) => {
      if (source.kind === "held") changeHeld(source.held, { kept: true });
      return arm();
    },
    clear_clipboard: () => ({ state: "cleared", clearsIn: null }),
    reveal_value: (source) => {
      if (source.kind === "held") changeHeld(source.held, { kept: true });
      return null;
    },
    list_activity: ({ before, filter }) =>
      (before === null ? activity : []).filter(
        ({ act, keyName }) =>
          (filter.acts.length === 0 || filter.acts.includes(act)) &&
          (keyName ?? "").includes(filter.text),
      ),
    last_reversible: () =>
      activity.find(({ canUndo, undoes }) => canUndo && undoes === null) ?? null,
    undo: ({ target }) => {
      const line = target.kind === "line" ? activity.find(({ id }) => id === target.line) : null;
      const uid = target.kind === "act" ? target.uid : (line?.keyUid ?? "");
      const act: Act = target.kind === "act" ? target.act : (line?.act ?? "edit");
      const { expires } = find(uid);
      if (act === "revoke" && expires !== null && expires <= now()) {
        throw fault({ code: "keyIsExpired" });
      }
      const status = act === "revoke" ? "active" : act === "reactivate" ? "revoked" : null;
      const key = change(uid, status ? { status } : {});
      return { kind: "undone", act, connection: "acme", key, sent: true };
    },
    list_audits: ({ uid }) =>
      user
        ? {
            kind: "notAllowed",
            message:
              "Your roles in acme do not let you read the server's audit log: that takes the permission audit.list. A tenant admin can give it to you.",
          }
        : {
            kind: "listed",
            entries: audits().filter((entry) => uid === null || entry.keyUid === uid),
            skipped: 0,
            next: null,
          },
    try_found_key: () => ({
      found: "found-1",
      host: connection.host,
      outcome: {
        kind: "unknown",
        actsAs: "Jane Doe",
        organization: "acme",
        signsIn: false,
        candidates: host.keys
          .filter(({ mine, status }) => mine && status !== "revoked")
          .slice(0, 4),
        problem: null,
      },
    }),
    revoke_found_key: ({ uid }) => ({
      revoked: {
        kind: "confirmed",
        key: change(uid, { status: "revoked" }),
        refusedAt: now(),
      },
      value: { kind: "refused", at: now() },
    }),
    forget_found_key: () => null,
    save_settings: (settings) => (host.settings = settings),
    review: () => {
      const review = fakeReview(host.keys, now(), user, accepted);
      return { ...review, policy: { ...review.policy, ...host.policy } };
    },
    accept_finding: ({ rule, keys, reason, until }) => {
      accepted.push(...keys.map((uid) => ({ rule, uid, reason, until })));
      return fakeReview(host.keys, now(), user, accepted);
    },
    take_back_finding: ({ rule, keys }) => {
      accepted = accepted.filter((each) => each.rule !== rule || !keys.includes(each.uid));
      return fakeReview(host.keys, now(), user, accepted);
    },
    plan_spread: ({ date }) => fakeSpread(host.keys, date),
    policy: () => ({ ...fakePolicy(), ...host.policy }),
    choose_policy: () =>
      (host.settings = { ...host.settings, policyPath: "/home/jane/policy.toml" }),
    lock_state: () => ({ locked: host.locked, asks: false }),
    lock_now: () => {
      host.locked = true;
      return null;
    },
    unlock: () => {
      host.locked = false;
      return null;
    },
    in_use: () => null,
    check_network: ({ connection }) => ({
      connection,
      host: "palette.acme.example",
      answeredIn: 84,
      problem: null,
    }),
    check_keychain: () => (host.keychain = { ...keychain, state: "ready", advice: null }),
    reveal_take: () => ({
      name: "ci-prod",
      value: "fake-value-of-the-fake-host",
      closesIn: 30,
    }),
    reveal_copy: arm,
    reveal_close: () => null,
  };

  const host: FakeHost = {
    keys: all,
    connections: options.first ? [] : [connection, lab],
    settings: {
      appearance: options.appearance ?? "system",
      clipboardSeconds: 30,
      defaultExpirationDays: 30,
      leadDays: 14,
      longestLifeDays: null,
      refreshMinutes: 15,
      lockAfterMinutes: null,
      startAtLogin: false,
      closeToTray: true,
      notices: true,
      noticeDays: [30, 14, 7, 3, 1],
      weeklyDigest: true,
      changeNotices: false,
      policyPath: null,
      severities: {},
      hiddenColumns: [],
      savedViews: [],
      renewSignInKey: true,
    },
    rolls: [],
    policy: {},
    keychain,
    locked: options.locked ?? false,
    outbox: {
      items: [],
      damaged: (options.damaged ?? []).map((words, index) => ({ record: `bad-${index}`, words })),
      sentElsewhere: options.sentElsewhere ?? false,
    },
    background: {
      trayHost: true,
      noticeHost: "GNOME Shell",
      pausedUntil: null,
      loginProblem: null,
      ...options.background,
    },
    record(part = {}) {
      const item = itemOf(part);
      host.outbox = { ...host.outbox, items: [...host.outbox.items, item] };
      tellOutbox();
      return item;
    },
    changeRecord(record, part) {
      host.outbox = {
        ...host.outbox,
        items: host.outbox.items.map((item) =>
          item.record === record ? { ...item, ...part } : item,
        ),
      };
      tellOutbox();
    },
    end(record, end = { kind: "confirmed", refusedAt: null }) {
      const item = host.outbox.items.find((each) => each.record === record);
      if (!item) return;
      host.outbox = {
        ...host.outbox,
        items: host.outbox.items.filter((each) => each.record !== record),
      };
      const known = host.keys.find(({ uid }) => uid === item.keyUid);
      let key: KeyView | null = null;
      if (end.kind === "confirmed" && item.action === "delete") {
        host.keys = host.keys.filter(({ uid }) => uid !== item.keyUid);
      } else if (end.kind === "confirmed" && known) {
        key = change(item.keyUid, { status: "revoked" });
      }
      tellOutbox();
      host.emit("outbox-ended", structuredClone({ item, end, key }));
    },
    calls: [],
    async call(name, request) {
      host.calls.push({ name, request });
      if (options.delay) await new Promise((done) => setTimeout(done, options.delay));
      await holds.get(name);
      const met = faults.get(name);
      if (met) throw fault(met);
      const handler = handlers.get(name) ?? commands[name as keyof Commands];
      // As over the real bridge, nothing is shared between the two sides.
      return structuredClone(await handler(structuredClone(request) as never));
    },
    listen(event, handler) {
      const hearing = ears.get(event) ?? new Set();
      ears.set(event, hearing.add(handler));
      return Promise.resolve(() => void hearing.delete(handler));
    },
    fail(name, met) {
      if (met) faults.set(name, met);
      else faults.delete(name);
    },
    hold(name) {
      let release = () => {};
      holds.set(name, new Promise<void>((done) => (release = done)));
      return () => {
        holds.delete(name);
        release();
      };
    },
    answer(name, handler) {
      handlers.set(name, handler as (request: never) => unknown);
    },
    emit(event, payload) {
      for (const handler of ears.get(event) ?? []) handler(payload);
    },
    keysChanged() {
      host.emit("keys-changed", { connection: "acme", revision: ++revision });
    },
  };
  host.outbox = { ...host.outbox, items: (options.outbox ?? []).map(itemOf) };
  if (options.held) {
    held = [newHeld("ci-payments-2026-11", "66e844c44bab2337f20c7471", NOW + 30 * DAY, true)];
  }
  activity = [...activity];
  return host;
}
