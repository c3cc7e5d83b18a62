import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { type TestContext, test } from "node:test";
import { parseCidr } from "../../src/address/cidr.ts";
import type { Host } from "../../src/host/host.ts";
import { openHost } from "../../src/host/node.node.ts";
import { distrustAddresses, isFirewalldRunning, trustAddresses } from "../../src/net/firewall/firewalld.ts";
import { checkTrusted } from "../../src/net/firewall/firewalld-check.ts";
import { CniError } from "../../src/spec/errors.ts";
import { type MessageBus, startBus, startFirewalld, withFirewalld } from "../message-bus.ts";
import { TestNamespace } from "../netlink/namespaces.ts";

const addresses = ["10.1.0.2/24", "fd01::2/64"].map((text) => parseCidr(text)!);
const sources = ["10.1.0.2/32", "fd01::2/128"];

function hostAt(address: string): Host {
  const host = openHost();
  host.variable = (name) => (name === "DBUS_SYSTEM_BUS_ADDRESS" ? address : undefined);
  return host;
}

/** What firewalld itself tells of a zone, by dbus-send. */
function askZone({ address }: MessageBus, method: string, ...args: string[]): string {
  const firewalld = "org.fedoraproject.FirewallD1";
  const target = [`--dest=${firewalld}`, "/org/fedoraproject/FirewallD1", `${firewalld}.zone.${method}`];
  return execFileSync(
    "dbus-send",
    [`--bus=${address}`, "--print-reply=literal", ...target, ...args.map((arg) => `string:${arg}`)],
    { encoding: "utf8" },
  );
}

function sourcesOf(bus: MessageBus, zone: string): string[] {
  return [...askZone(bus, "getSources", zone).matchAll(/\S+\/\d+/g)].map(([source]) => source).sort();
}

function isError(code: number, message: string | RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof CniError, `${error}`);
    assert.equal(error.code, code);
    if (typeof message === "string") assert.equal(error.message, message);
    else assert.match(error.message, message);
    return true;
  };
}

test("without firewalld: it is said not to run, and nothing is left to remove", async (t: TestContext) => {
  const { address } = await startBus(t);
  for (const host of [hostAt(address), hostAt("unix:path=/nowhere")]) {
    const wish = { host, zone: "trusted", addresses };
    assert.equal(isFirewalldRunning(host), false);
    for (const act of [trustAddresses, checkTrusted])
      assert.throws(() => act(wish), isError(100, "firewalld is not running"));
    distrustAddresses(wish);
  }
});

test("addresses become sources of a zone, once, and go again", withFirewalld, async (t: TestContext) => {
  const bus = await startBus(t);
  const { name } = new TestNamespace(t);
  const daemon = await startFirewalld(t, bus, (command) => ["ip", "netns", "exec", name, ...command]);
  const host = hostAt(bus.address);
  const wish = { host, zone: "trusted", addresses };
  assert.equal(isFirewalldRunning(host), true);

  const trust = trustAddresses(wish);
  assert.deepEqual(sourcesOf(bus, "trusted"), sources);
  checkTrusted(wish);
  // What was there before stays when a second ADD of the same is undone.
  trustAddresses(wish).remove();
  checkTrusted(wish);
  trust.remove();
  assert.deepEqual(sourcesOf(bus, "trusted"), []);
  distrustAddresses(wish);

  trustAddresses(wish);
  askZone(bus, "removeSource", "trusted", sources[1]!);
  assert.throws(
    () => checkTrusted(wish),
    isError(100, "fd01::2/128 is not a source of firewalld's zone trusted"),
  );
  distrustAddresses(wish);

  // Another zone has one of them: that is told, and what was done before is undone; DEL leaves it alone.
  askZone(bus, "addSource", "public", sources[1]!);
  assert.throws(() => trustAddresses(wish), isError(100, /addSource: ZONE_CONFLICT: 'fd01::2\/128'/));
  assert.deepEqual(sourcesOf(bus, "trusted"), []);
  distrustAddresses(wish);
  assert.deepEqual(sourcesOf(bus, "public"), [sources[1]]);

  const nowhere = { ...wish, zone: "nowhere" };
  for (const act of [trustAddresses, checkTrusted])
    assert.throws(() => act(nowhere), isError(7, 'firewalld has no zone "nowhere"'));
  distrustAddresses(nowhere);

  const exit = new Promise((resolve) => daemon.on("exit", resolve));
  daemon.kill();
  await exit;
  assert.equal(isFirewalldRunning(host), false);
});
