import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { openHost } from "../../src/host/node.node.ts";
import { DBus, DBusError, MESSAGE_BUS, NoBusError, unixSockets } from "../../src/net/dbus/bus.ts";
import type { Value } from "../../src/net/dbus/wire.ts";
import { CniError } from "../../src/spec/errors.ts";
import { startBus } from "../message-bus.ts";

// Our side of D-Bus with the real dbus-daemon, and with dbus-send, which knows the wire from elsewhere.

/** A connection to the bus at this address, as if the environment named it. */
function open(address: string, timeoutMs?: number): DBus {
  const host = openHost();
  host.variable = (name) => (name === "DBUS_SYSTEM_BUS_ADDRESS" ? address : undefined);
  return DBus.open(host, timeoutMs);
}

const service = { destination: "plumb.Test", path: "/", interface: "plumb.Test" };

async function startService(t: TestContext, address: string): Promise<void> {
  const child = spawn(
    process.execPath,
    ["--import", "ts-blank-space/register", join(import.meta.dirname, "dbus-service.ts")],
    { env: { ...process.env, DBUS_SYSTEM_BUS_ADDRESS: address }, stdio: ["ignore", "pipe", "ignore"] },
  );
  t.after(() => child.kill());
  await once(createInterface(child.stdout), "line");
}

test("what the bus itself answers", async (t) => {
  const { address, daemon } = await startBus(t);
  const bus = open(address);
  t.after(() => bus.close());
  assert.deepEqual(bus.call(MESSAGE_BUS, "NameHasOwner", "s", "org.freedesktop.DBus"), [true]);
  assert.deepEqual(bus.call(MESSAGE_BUS, "NameHasOwner", "s", "plumb.Nobody"), [false]);
  assert.deepEqual(bus.call(MESSAGE_BUS, "RequestName", "su", "plumb.Some", 0), [1]);
  const [names] = bus.call(MESSAGE_BUS, "ListNames") as [string[]];
  assert.deepEqual(names.filter((name) => !name.startsWith(":")).sort(), [
    "org.freedesktop.DBus",
    "plumb.Some",
  ]);
  const [credentials] = bus.call(MESSAGE_BUS, "GetConnectionCredentials", "s", "org.freedesktop.DBus");
  const known = new Map(credentials as [string, Value][]);
  assert.deepEqual(known.get("ProcessID"), { signature: "u", value: daemon.pid });
});

test("errors have names, and the service's own words", async (t) => {
  const { address } = await startBus(t);
  await startService(t, address);
  const bus = open(address);
  t.after(() => bus.close());
  for (const [target, member, body, errorName, message] of [
    [
      { ...service, destination: "plumb.Nobody" },
      "Echo",
      [],
      "org.freedesktop.DBus.Error.ServiceUnknown",
      /^plumb\.Test\.Echo: The name plumb\.Nobody was not provided by any \.service files$/,
    ],
    [MESSAGE_BUS, "Nonsense", [], "org.freedesktop.DBus.Error.UnknownMethod", /Nonsense/],
    [service, "Refuse", ["for a reason"], "plumb.Test.Refused", /^plumb\.Test\.Refuse: for a reason$/],
    [service, "Refuse", [], "plumb.Test.Refused", /^plumb\.Test\.Refuse: plumb\.Test\.Refused$/],
  ] as const)
    assert.throws(
      () => bus.call(target, member, "s".repeat(body.length), ...body),
      (error) => error instanceof DBusError && error.errorName === errorName && message.test(error.message),
    );
  // The connection can be used further.
  assert.deepEqual(bus.call(service, "Echo", "s", "on"), ["on"]);
});

test("values go there and back, past signals and replies that are not ours", async (t) => {
  const { address } = await startBus(t);
  await startService(t, address);
  const bus = open(address);
  t.after(() => bus.close());
  const values: [string, ...Value[]][] = [
    ["", ...[]],
    ["sasub", "grün", ["a", "", "ccc"], 0xffffffff, true],
    ["v", { signature: "a{sv}", value: [["key", { signature: "(yt)", value: [7, 2n ** 63n] }]] }],
    // Several reads.
    ["s", "x".repeat(200_000)],
  ];
  for (const [signature, ...body] of values)
    assert.deepEqual(bus.call(service, "Echo", signature, ...body), body);
});

test("dbus-send understands us, and we understand it", async (t) => {
  const { address } = await startBus(t);
  await startService(t, address);
  const printed = execFileSync(
    "dbus-send",
    [
      ...[`--bus=${address}`, "--print-reply=literal", "--dest=plumb.Test", "/", "plumb.Test.Echo"],
      ...["string:text", "byte:7", "int64:-5", "uint16:65535", "boolean:true", "variant:uint32:9"],
      ...["array:string:a,b", "dict:string:int32:one,1,two,2", "objpath:/a/b", "double:2"],
    ].slice(0, -1),
    { encoding: "utf8" },
  );
  assert.deepEqual(
    printed.split(/\s+/).filter(Boolean).join(" "),
    [
      ...["text", "byte 7", "int64 -5", "uint16 65535", "boolean true", "variant uint32 9"],
      ...["array [ a b ]", "array [ dict entry( one int32 1 ) dict entry( two int32 2 ) ]", "/a/b"],
    ].join(" "),
  );
});

test("a reply that does not come: code 11 when the time is over", async (t) => {
  const { address } = await startBus(t);
  await startService(t, address);
  const bus = open(address, 50);
  t.after(() => bus.close());
  assert.throws(
    () => bus.call(service, "Ignore"),
    (error) =>
      error instanceof CniError &&
      error.code === 11 &&
      /^no answer over D-Bus within 0.05 s$/.test(error.message),
  );
});

test("a bus that goes away, and a message too long for us, are told", async (t) => {
  const { address, daemon } = await startBus(t);
  await startService(t, address);
  const bus = open(address);
  t.after(() => bus.close());
  assert.throws(() => bus.call(service, "Flood"), /^CniError: .* a message of 10\d+ bytes$/);
  const other = open(address);
  t.after(() => other.close());
  daemon.kill();
  await once(daemon, "exit");
  assert.throws(
    () => other.call(service, "Echo"),
    /^(CniError: .*it closed the connection|SysError: .*EPIPE)$/,
  );
});

test("addresses: which sockets they name", () => {
  for (const [addresses, sockets] of [
    ["unix:path=/run/dbus/system_bus_socket", ["/run/dbus/system_bus_socket"]],
    ["unix:path=/a%20b,guid=00", ["/a b"]],
    ["tcp:host=localhost,port=1;unix:guid=00,abstract=/tmp/x;unix:path=/y", ["@/tmp/x", "/y"]],
    ["unix:path=/%ff;unixexec:path=ssh;unix:dir=/tmp;nonsense;", []],
  ] as const)
    assert.deepEqual(unixSockets(addresses), sockets);
});

test("addresses: the first that answers is taken, abstract ones too", async (t) => {
  const { address } = await startBus(t, { listen: `unix:abstract=plumb-test-${process.pid}` });
  assert.match(address, /abstract/);
  const bus = open(`tcp:host=localhost,port=1;unix:path=/nowhere;${address}`);
  bus.close();
});

test("no bus, or one that does not let us in: which, and why", async (t) => {
  const { address } = await startBus(t, { auth: "ANONYMOUS" });
  for (const [wrong, message] of [
    ["unix:path=/nowhere", /connect \/nowhere: ENOENT$/],
    ["tcp:host=localhost,port=1", /no address in "tcp:host=localhost,port=1" is of a unix socket$/],
    [`unix:path=/${"x".repeat(200)}`, /connect \/x+: EINVAL$/],
    [address, /it refuses to authenticate us: REJECTED ANONYMOUS$/],
  ] as const)
    assert.throws(
      () => open(wrong),
      (error) => error instanceof NoBusError && error.code === 100 && message.test(error.message),
    );
});

test("who listens and says nothing, or nonsense, is waited for no longer than told", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "plumb-bus-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, "socket");
  // In another process: connecting blocks this one.
  const script = `require("net").createServer((socket) => socket.write(process.argv[2])).listen(process.argv[1], () => console.log("ready"))`;
  for (const [greeting, message] of [
    ["", /^CniError: no answer over D-Bus within 0.05 s$/],
    ["x".repeat(2000), /a line without end$/],
    [`DATA\r\nOK 0\r\n${"x".repeat(16)}`, /D-Bus version 120 is not spoken here$/],
  ] as const) {
    rmSync(path, { force: true });
    const server = spawn(process.execPath, ["-e", script, path, greeting], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    t.after(() => server.kill());
    await once(createInterface(server.stdout), "line");
    assert.throws(() => open(`unix:path=${path}`, greeting === "" ? 50 : undefined), message);
  }
});
