import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { describe, test } from "node:test";
import { DhcpNetwork, LONG, macvlan, needs, range, SERVER } from "./dhcp-network.ts";
import { until } from "./program.ts";
import type { Container, Json } from "./world.ts";

// Leases outlive the daemon, and end with the container. The tests wait side by side.

const together = { concurrency: true };
const withDnsmasq = needs("dnsmasq");
const withKea = needs("kea-dhcp4");
const FIRST = "10.66.0.50/24";
const ROUTES = [`default via ${SERVER} dev eth0`, "10.66.0.0/24 dev eth0"];
const SHORT = { renew: 1, rebind: 6, valid: 8 };
const RENEWING = /DHCPREQUEST .*received from 10\.66\.0\.50 to 10\.66\.0\.1 /;

async function add(n: DhcpNetwork, container: Container, config: Json = macvlan): Promise<Json> {
  const { code, output } = await n.world.start("ADD", config, container);
  assert.equal(code, 0, JSON.stringify(output));
  return output;
}

describe("a daemon that ends and is started again", together, () => {
  for (const signal of ["SIGKILL", "SIGTERM"] as const)
    test(`by ${signal}: the address stays, is renewed, and DEL releases it`, withKea, async (t) => {
      const n = await DhcpNetwork.start(t);
      const server = await n.kea4(range(50), SHORT);
      const daemon = await n.daemon();
      const c1 = n.world.container();
      const result = await add(n, c1);
      await server.says(RENEWING);
      const code = await daemon.stop(signal);
      assert.equal(code, signal === "SIGTERM" ? 0 : null);
      assert.equal(server.lines(/DHCPRELEASE/).length, 0);
      assert.deepEqual([c1.addresses(), c1.routes()], [[FIRST], ROUTES]);
      const renewed = server.lines(RENEWING).length;
      await n.daemon();
      await server.says(RENEWING, { times: renewed + 2 });
      assert.equal(server.lines(/DHCPDISCOVER/).length, 1);
      assert.deepEqual([c1.addresses(), c1.routes()], [[FIRST], ROUTES]);
      n.world.check(macvlan, c1, result);
      n.world.del(macvlan, c1, { prevResult: result });
      await server.says(/DHCPRELEASE /);
      assert.deepEqual(n.records(), []);
    });

  test("leases that ended meanwhile are taken off, and others sought", withKea, async (t) => {
    const n = await DhcpNetwork.start(t);
    const server = await n.kea4(range(50), { renew: 1, rebind: 2, valid: 3 });
    const daemon = await n.daemon();
    const c1 = n.world.container();
    await add(n, c1);
    await daemon.stop("SIGKILL");
    const ended = Date.now() + 3000;
    await server.stop();
    await until("the lease's end", () => Date.now() > ended);
    assert.deepEqual(c1.addresses(), [FIRST]);
    const next = await n.daemon("-resendmax", "1s");
    await next.until("the end", () => c1.addresses().length === 0);
    n.world.must("rm", "/run/kea-dhcp4.leases");
    await n.kea4(range(150), LONG);
    await next.until("another address", () => c1.addresses().join() === "10.66.0.150/24");
  });

  test("in the middle of an ADD: that fails, and the next succeeds", withDnsmasq, async (t) => {
    const n = await DhcpNetwork.start(t);
    const daemon = await n.daemon();
    const c1 = n.world.container();
    const adding = n.world.start("ADD", macvlan, c1);
    await daemon.until("the interface", () => c1.link()?.flags.includes("UP"));
    await daemon.stop("SIGKILL");
    const { code, output } = await adding;
    assert.equal(code, 1);
    assert.match(output.msg, /daemon/);
    assert.equal(c1.link(), undefined);
    await n.dnsmasq();
    await n.daemon();
    await add(n, c1);
    assert.deepEqual(n.leases(), ["10.66.0.50 c1/net/eth0"]);
  });

  test("what was deleted meanwhile is forgotten", withDnsmasq, async (t) => {
    const n = await DhcpNetwork.start(t);
    await n.dnsmasq();
    const daemon = await n.daemon();
    const [c1, c2, c3] = ["c1", "c2", "c3"].map((id) => n.world.container(id));
    for (const container of [c1!, c2!, c3!]) await add(n, container);
    await daemon.stop("SIGKILL");
    n.world.del(macvlan, c1!);
    c2!.vanish();
    assert.equal(c1!.link(), undefined);
    const next = await n.daemon();
    await next.until("one record", () => n.records().length === 1);
    assert.deepEqual(c3!.addresses(), ["10.66.0.52/24"]);
    n.world.del(macvlan, c2!);
    n.world.del(macvlan, c3!);
    assert.deepEqual(n.records(), []);
  });

  test("records that are none are left out, and said", withDnsmasq, async (t) => {
    const n = await DhcpNetwork.start(t);
    await n.dnsmasq();
    const daemon = await n.daemon();
    const [c1, c2] = [n.world.container("c1"), n.world.container("c2")];
    await add(n, c1);
    const [first] = n.records();
    await add(n, c2);
    await daemon.stop("SIGKILL");
    const nonsense = "0".repeat(32);
    n.world.must(
      "sh",
      "-c",
      `cd /run/cni/dhcp.leases; printf '{"half' > ${first}; echo nonsense > ${nonsense}`,
    );
    const next = await n.daemon();
    await next.says(new RegExp(nonsense));
    assert.deepEqual([next.running, c2.addresses()], [true, ["10.66.0.51/24"]]);
    n.world.del(macvlan, c1);
    n.world.del(macvlan, c2);
    assert.deepEqual(
      n.leases().filter((lease) => lease.includes("c2")),
      [],
    );
  });

  test("of another start of the machine: nothing is taken up", withDnsmasq, async (t) => {
    const n = await DhcpNetwork.start(t);
    await n.dnsmasq();
    const daemon = await n.daemon();
    const c1 = n.world.container();
    await add(n, c1);
    await daemon.stop("SIGKILL");
    const boot = n.world.read("/proc/sys/kernel/random/boot_id").trim();
    const other = boot.replace(/^./, (digit) => (digit === "0" ? "1" : "0"));
    n.world.must(
      "sh",
      "-c",
      `grep -q ${boot} /run/cni/dhcp.leases/* && sed -i s/${boot}/${other}/ /run/cni/dhcp.leases/*`,
    );
    await n.daemon();
    assert.deepEqual(n.records(), []);
  });
});

describe("a container that dies without DEL", together, () => {
  for (const [what, make] of [
    ["macvlan", () => macvlan],
    ["bridge", (n: DhcpNetwork) => n.bridge()],
  ] as const)
    test(`on ${what}: nothing holds its interface, and its record goes`, withDnsmasq, async (t) => {
      const n = await DhcpNetwork.start(t);
      await n.dnsmasq();
      const daemon = await n.daemon();
      const descriptors = () => readdirSync(`/proc/${daemon.pid}/fd`).length;
      const idle = descriptors();
      const config = make(n);
      const c1 = n.world.container();
      await add(n, c1, config);
      // For two seconds it listens for others who have the address.
      await daemon.until("the end of all exchanges", () => descriptors() === idle);
      const { address } = c1.link();
      const neighbours = () => n.world.must("bridge", "fdb", "show", "dev", "phys");
      assert.equal(neighbours().includes(address), what === "macvlan");
      // Whatever it held would stay.
      process.kill(daemon.pid, "SIGSTOP");
      c1.vanish();
      // A pair's end in the host goes with the namespace; what a macvlan listens to, its master gives up.
      const freed = () => n.world.veths().join() === "phys" && !neighbours().includes(address);
      await daemon.until("the end of the interface", freed);
      process.kill(daemon.pid, "SIGCONT");
      await daemon.until("the end of the record", () => n.records().length === 0);
      assert.equal(daemon.running, true);
      n.world.del(config, c1);
    });

  test("while the server is away, and in the middle of ADD", withDnsmasq, async (t) => {
    const n = await DhcpNetwork.start(t);
    const daemon = await n.daemon("-resendtimeout", "30s");
    const c1 = n.world.container();
    const adding = n.world.start("ADD", macvlan, c1);
    await daemon.until("the interface", () => c1.link()?.flags.includes("UP"));
    c1.vanish();
    const { code, output } = await adding;
    assert.deepEqual([code, typeof output.msg], [1, "string"]);
    await daemon.until("the end of the record", () => n.records().length === 0);
  });
});
