import { beforeEach, describe, expect, it, vi } from "vitest";
import { fakeHost, type FakeHost } from "../../../tests/fake-host";
import { standIn, type ConnectionView, type ConnectRequest, type ConnectView } from "../ipc";
import { Connect, whoYouAre } from "./connect.svelte";

let host: FakeHost;
const done = vi.fn<(view: ConnectView) => void>();

beforeEach(() => {
  host = fakeHost({ first: true });
  standIn(host);
  done.mockReset();
});

const sent = (name: string) =>
  host.calls.filter((each) => each.name === name).map(({ request }) => request as ConnectRequest);

describe("a new connection", () => {
  it("sends a pasted key without the newline that came with it", async () => {
    const connect = new Connect(done);
    connect.apiKey = "  abc123\n";
    await connect.connect();
    expect(sent("connect")[0]?.signIn).toEqual({ method: "apiKey", apiKey: "abc123" });
    expect(done).toHaveBeenCalledOnce();
  });

  it("drops what was typed once it is no longer needed", async () => {
    const connect = new Connect(done);
    connect.apiKey = "abc123";
    connect.password = "secret";
    await connect.connect();
    expect([connect.apiKey, connect.password]).toEqual(["", ""]);
  });

  it("keeps what was typed when it did not work", async () => {
    const connect = new Connect(done);
    connect.apiKey = "abc123";
    host.fail("connect", { code: "credentialRejected" });
    await connect.connect();
    expect([connect.apiKey, connect.generalProblem?.code]).toEqual([
      "abc123",
      "credentialRejected",
    ]);
    expect(done).not.toHaveBeenCalled();
  });

  it("asks for what is missing before anything is sent", async () => {
    const connect = new Connect(done);
    await connect.connect();
    expect(connect.errorOf("apiKey")).toBe("Paste an API key.");
    connect.method = "password";
    await connect.connect();
    expect(connect.errorOf("email")).toBe("Type your email.");
    expect(connect.errorOf("password")).toBe("Type your password.");
    connect.proxy = "custom";
    expect(connect.errorOf("proxy")).toContain("Type the proxy's address");
    expect(host.calls).toEqual([]);
  });

  it("goes out once, however often it is pressed", async () => {
    const connect = new Connect(done);
    connect.apiKey = "abc";
    await Promise.all([connect.connect(), connect.connect()]);
    expect(sent("connect")).toHaveLength(1);
  });

  it("passes the options on", async () => {
    const connect = new Connect(done);
    connect.method = "password";
    connect.email = " jane@acme.example ";
    connect.organization = "acme";
    connect.password = " with spaces ";
    connect.name = "prod";
    connect.colour = "teal";
    connect.proxy = "custom";
    connect.proxyUrl = "http://proxy:3128";
    await connect.chooseCertificate(
      new File(["-----BEGIN CERTIFICATE-----\nx"], "ca.pem", { type: "text/plain" }),
    );
    await connect.connect();
    expect(sent("connect")[0]).toMatchObject({
      signIn: {
        method: "password",
        email: "jane@acme.example",
        organization: "acme",
        password: " with spaces ",
      },
      name: "prod",
      colour: "teal",
      proxy: { kind: "custom", url: "http://proxy:3128" },
      caCertificate: "-----BEGIN CERTIFICATE-----\nx",
      inMemoryOnly: false,
    });
  });

  it("takes no file for a certificate that is none", async () => {
    const connect = new Connect(done);
    await connect.chooseCertificate(new File(["hello"], "notes.txt"));
    expect(connect.certificate).toBeNull();
    expect(connect.errorOf("certificate")).toContain("notes.txt is not a certificate");
  });

  it("offers to keep the sign-in in memory when the keychain stands in the way", async () => {
    const connect = new Connect(done);
    connect.apiKey = "abc";
    host.fail("connect", { code: "keychainLocked" });
    await connect.connect();
    expect(connect.mayKeepInMemory).toBe(true);
    host.fail("connect", null);
    await connect.connect(true);
    expect(sent("connect").at(-1)).toMatchObject({ inMemoryOnly: true });
    expect(done).toHaveBeenCalledOnce();
  });
});

describe("the address", () => {
  it("says what it understood when that is not what was typed", async () => {
    const connect = new Connect(done);
    connect.address = "https://console.acme.example/admin/keys";
    await connect.understand();
    expect(connect.addressNote).toBe("Will connect to https://console.acme.example");
  });

  it("is wrong in place and sends nothing", async () => {
    const connect = new Connect(done);
    connect.address = "http://palette.acme.example";
    connect.apiKey = "abc";
    await connect.connect();
    expect(connect.errorOf("address")).toBe("Plain http is only for this computer.");
    expect(sent("connect")).toHaveLength(0);
  });
});

describe("signing in again", () => {
  const again = (): ConnectionView => {
    const [connection] = fakeHost().connections;
    if (!connection) throw new Error("the fake host has a connection");
    return {
      ...connection,
      method: "password",
      email: "jane@acme.example",
      organization: "acme",
      state: "needsSignIn",
    };
  };

  it("fills in what is known and asks only for the password", async () => {
    host = fakeHost();
    standIn(host);
    const connect = new Connect(done, again());
    expect([connect.method, connect.email, connect.organization]).toEqual([
      "password",
      "jane@acme.example",
      "acme",
    ]);
    connect.password = "pw";
    await connect.connect();
    expect(sent("sign_in")[0]).toMatchObject({ connection: "acme" });
    expect(sent("connect")).toHaveLength(0);
    expect(done).toHaveBeenCalledOnce();
  });

  it("does not offer what the command cannot do", async () => {
    host = fakeHost();
    standIn(host);
    const connect = new Connect(done, again());
    connect.password = "pw";
    host.fail("sign_in", { code: "keychainLocked" });
    await connect.connect();
    expect(connect.mayKeepInMemory).toBe(false);
  });
});

it("opens the demo tenant as either person", async () => {
  const connect = new Connect(done);
  await connect.openDemo("user");
  expect(host.calls.at(-1)).toMatchObject({ name: "open_demo", request: { person: "user" } });
  expect(done).toHaveBeenCalledOnce();
});

it("says who you are, what you may see and where secrets go", async () => {
  const connect = new Connect(done);
  connect.apiKey = "abc";
  await connect.connect();
  const [view] = done.mock.calls[0] ?? [];
  expect(view && whoYouAre(view)).toBe(
    "You are Jane Doe (jane.doe@acme.example) in acme. You see every key of acme. GNOME Keyring holds your secrets.",
  );
});
