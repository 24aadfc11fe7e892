import { beforeEach, describe, expect, it, vi } from "vitest";
import { fakeHost, type FakeHost } from "../../../tests/fake-host";
import { standIn, type ConnectionView, type EditConnectionRequest } from "../ipc";
import { EditConnection } from "./editConnection.svelte";
import { RemoveConnection } from "./removeConnection.svelte";

let host: FakeHost;
const saved = vi.fn<(connection: ConnectionView) => void>();

beforeEach(() => {
  host = fakeHost();
  standIn(host);
  saved.mockReset();
});

const PEM = "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n";

function the(changes: Partial<ConnectionView> = {}): ConnectionView {
  const [connection] = host.connections;
  if (!connection) throw new Error("the fake host has no connection");
  return { ...connection, ...changes };
}

const sent = () =>
  host.calls
    .filter(({ name }) => name === "edit_connection")
    .map(({ request }) => request as EditConnectionRequest);

describe("editing a connection", () => {
  it("keeps the way to its host when only name and colour are new", async () => {
    const edit = new EditConnection(the({ hasCaCertificate: true }), saved);
    edit.name = "  Production ";
    edit.colour = "red";
    expect(edit.isOtherWay).toBe(false);
    expect(await edit.save()).toBe(true);
    expect(sent()[0]).toMatchObject({
      name: "Production",
      colour: "red",
      certificate: { kind: "keep" },
      proxy: { kind: "system" },
    });
    expect(saved).toHaveBeenCalledWith(expect.objectContaining({ name: "Production" }));
  });

  it("adds, replaces and removes a certificate", async () => {
    const own = the({ hasCaCertificate: true });
    const edit = new EditConnection(own, saved);
    expect(edit.certificate?.fileName).toBe("Its own certificate");
    await edit.chooseCertificate(new File([PEM], "acme.pem"));
    expect([edit.certificate?.fileName, edit.isOtherWay]).toEqual(["acme.pem", true]);
    await edit.save();
    expect(sent()[0]?.certificate).toEqual({ kind: "replace", pem: PEM });

    const other = new EditConnection(own, saved);
    await other.chooseCertificate(new File([PEM], "acme.pem"));
    other.removeCertificate();
    expect(other.certificate?.fileName).toBe("Its own certificate");
    other.removeCertificate();
    expect([other.certificate, other.removesCertificate, other.isOtherWay]).toEqual([
      null,
      true,
      true,
    ]);
    await other.save();
    expect(sent()[1]?.certificate).toEqual({ kind: "remove" });
  });

  it("says at its field what is no certificate", async () => {
    const edit = new EditConnection(the(), saved);
    await edit.chooseCertificate(new File(["hello"], "notes.txt"));
    expect(edit.errorOf("certificate")).toContain("notes.txt is not a certificate");
    expect(edit.certificate).toBeNull();
  });

  it("sends a proxy of its own, and asks for its address first", async () => {
    const edit = new EditConnection(the(), saved);
    edit.proxy = "custom";
    expect(await edit.save()).toBe(false);
    expect(edit.errorOf("proxy")).toContain("Type the proxy's address");
    expect(sent()).toEqual([]);
    edit.proxyUrl = " http://proxy.example:3128 ";
    expect(edit.isOtherWay).toBe(true);
    await edit.save();
    expect(sent()[0]?.proxy).toEqual({ kind: "custom", url: "http://proxy.example:3128" });
  });

  it("keeps what was typed when the server was not reached", async () => {
    const edit = new EditConnection(the(), saved);
    edit.proxy = "none";
    host.fail("edit_connection", { code: "tlsUntrusted" });
    expect(await edit.save()).toBe(false);
    expect([edit.generalProblem?.code, edit.proxy, edit.busy]).toEqual([
      "tlsUntrusted",
      "none",
      false,
    ]);
    expect(saved).not.toHaveBeenCalled();
  });

  it("goes out once, however often it is pressed", async () => {
    const edit = new EditConnection(the(), saved);
    await Promise.all([edit.save(), edit.save(), edit.save()]);
    expect(sent()).toHaveLength(1);
  });
});

describe("removing a connection", () => {
  it("is not possible before it is known what goes, or while something needs it", async () => {
    const removed = vi.fn();
    const removal = new RemoveConnection(the(), removed);
    expect(await removal.remove()).toBe(false);
    host.answer("connection_removal", () => ({
      stored: [],
      hasCredential: true,
      waiting: 2,
      notKept: null,
    }));
    await removal.look();
    expect([removal.blocked, await removal.remove()]).toEqual([true, false]);
    host.answer("connection_removal", () => ({
      stored: ["ci-prod"],
      hasCredential: true,
      waiting: 0,
      notKept: null,
    }));
    await removal.look();
    expect([removal.blocked, await removal.remove()]).toEqual([false, true]);
    expect(removed).toHaveBeenCalledOnce();
    expect(host.calls.filter(({ name }) => name === "remove_connection")).toHaveLength(1);
  });

  it("says why when the keychain refuses, and can be tried again", async () => {
    const removal = new RemoveConnection(the(), vi.fn());
    await removal.look();
    host.fail("remove_connection", { code: "keychainLocked" });
    expect(await removal.remove()).toBe(false);
    expect(removal.problem?.code).toBe("keychainLocked");
    expect(removal.busy).toBe(false);
  });
});
