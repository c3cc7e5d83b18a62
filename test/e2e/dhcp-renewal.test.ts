import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { DhcpNetwork, LONG, macvlan, needs, range, SERVER, type Times } from "./dhcp-network.ts";
import type { Program } from "./program.ts";
import type { Container } from "./world.ts";

// What becomes of a lease in the course of time, with real servers and leases of seconds. The tests wait side by side.

const together = { concurrency: true };
const FIRST = "10.66.0.50/24";
const SECOND = "10.66.0.150/24";
const ROUTES = [`default via ${SERVER} dev eth0`, "10.66.0.0/24 dev eth0"];

/** Servers with short leases, where the next one knows nothing of those that the one before gave. */
const servers: Record<string, (n: DhcpNetwork, first: number) => Promise<Program>> = {
  dnsmasq: (n, first) => {
    n.world.must("rm", "-f", "/run/dnsmasq.leases");
    // It takes nothing below.
    return n.dnsmasq(range(first), "--dhcp-option=58,10");
  },
  "kea-dhcp4": (n, first) => {
    n.world.must("rm", "-f", "/run/kea-dhcp4.leases");
    // It does not answer who asks for what it does not know: the lease ends.
    return n.kea4(range(first), { renew: 1, rebind: 3, valid: 5 });
  },
  // It tells of no half: that is ours to know.
  busybox: (n, first) => n.udhcpd(range(first), 3),
};

async function attached(n: DhcpNetwork, ...flags: string[]): Promise<{ c1: Container; daemon: Program }> {
  const daemon = await n.daemon(...flags);
  const c1 = n.world.container();
  await must(n, c1);
  return { c1, daemon };
}

/** ADD, while the other tests go on. */
async function must(n: DhcpNetwork, container: Container): Promise<void> {
  const { code, output } = await n.world.start("ADD", macvlan, container);
  assert.equal(code, 0, JSON.stringify(output));
}

const request = (from: string, to: string) => new RegExp(`DHCPREQUEST .*received from ${from} to ${to} `);
const RENEWING = request("10.66.0.50", SERVER);
const REBINDING = request("10.66.0.50", "255.255.255.255");

describe("renewal", together, () => {
  const times: Times = { renew: 1, rebind: 6, valid: 8 };

  test("by unicast, again and again, and the address stays", needs("kea-dhcp4"), async (t) => {
    const n = await DhcpNetwork.start(t);
    const server = await n.kea4(range(50), times);
    const { c1 } = await attached(n);
    await server.says(RENEWING, { times: 3 });
    assert.deepEqual(server.lines(REBINDING), []);
    assert.deepEqual([c1.addresses(), c1.routes()], [[FIRST], ROUTES]);
    n.world.del(macvlan, c1);
    await server.says(/DHCPRELEASE .*received from 10\.66\.0\.50 to 10\.66\.0\.1 /);
  });

  test("by broadcast when the server does not answer", needs("kea-dhcp4"), async (t) => {
    const n = await DhcpNetwork.start(t);
    const server = await n.kea4(range(50), { renew: 1, rebind: 2, valid: 20 });
    n.lose(`ip daddr ${SERVER}`, "arp operation 77");
    const { c1 } = await attached(n);
    await server.says(REBINDING, { times: 2 });
    assert.deepEqual(server.lines(RENEWING), []);
    assert.deepEqual([c1.addresses(), c1.routes()], [[FIRST], ROUTES]);
  });

  test("where the container has no neighbour yet, on a bridge", needs("kea-dhcp4"), async (t) => {
    const n = await DhcpNetwork.start(t);
    const server = await n.kea4(range(50), times);
    await n.daemon();
    const c1 = n.world.container();
    const config = n.bridge();
    const { code, output } = await n.world.start("ADD", config, c1);
    assert.equal(code, 0, JSON.stringify(output));
    c1.must("ip", "neighbour", "flush", "dev", "eth0");
    await server.says(RENEWING, { times: 2 });
    n.world.del(config, c1);
    await server.says(/DHCPRELEASE /);
  });

  test("what the container changed itself stays as it is", needs("kea-dhcp4"), async (t) => {
    const n = await DhcpNetwork.start(t);
    const server = await n.kea4(range(50), times);
    const { c1 } = await attached(n);
    c1.must("ip", "address", "add", "10.99.0.1/24", "dev", "eth0");
    c1.must("ip", "route", "add", "192.0.2.0/24", "via", "10.66.0.9");
    await server.says(RENEWING, { times: 2 });
    assert.deepEqual(c1.addresses(), [FIRST, "10.99.0.1/24"]);
    assert.ok(c1.routes().includes("192.0.2.0/24 via 10.66.0.9 dev eth0"));
  });
});

describe("another server, another address", together, () => {
  for (const [name, start] of Object.entries(servers))
    test(`${name} comes back with another range`, needs(name as "busybox"), async (t) => {
      const n = await DhcpNetwork.start(t);
      const server = await start(n, 50);
      const { c1, daemon } = await attached(n);
      assert.match(c1.addresses().join(), /^10\.66\.0\.[5-6]\d\/24$/);
      await server.stop();
      await start(n, 150);
      await daemon.until("an address of the other range", () =>
        /^10\.66\.0\.1[5-6]\d\/24$/.test(c1.addresses().join()),
      );
      await daemon.until("the default route", () => c1.routes().length === 2);
      assert.deepEqual(c1.routes(), ROUTES);
      assert.equal(c1.pings(SERVER), true);
      n.world.del(macvlan, c1);
    });

  test("another router: the route changes, the address stays", needs("kea-dhcp4"), async (t) => {
    const n = await DhcpNetwork.start(t);
    const times = { renew: 1, rebind: 8, valid: 10 };
    const server = await n.kea4(range(50), times);
    const { c1, daemon } = await attached(n);
    await server.stop();
    await n.kea4(range(50), times, { "option-data": [{ name: "routers", data: "10.66.0.2" }] });
    const changed = ["default via 10.66.0.2 dev eth0", ROUTES[1]];
    await daemon.until("the other route", () => c1.routes().join() === changed.join());
    assert.deepEqual(c1.addresses(), [FIRST]);
  });
});

describe("no server", together, () => {
  const times: Times = { renew: 1, rebind: 3, valid: 5 };

  test("the lease is kept until its end, then another is sought", needs("kea-dhcp4"), async (t) => {
    const n = await DhcpNetwork.start(t);
    const server = await n.kea4(range(50), times);
    const { c1, daemon } = await attached(n, "-resendmax", "1s");
    const since = Date.now();
    await server.stop();
    await daemon.until("the end", () => c1.addresses().length === 0);
    // Renewed at the latest when it was stopped; the clocks of server and kernel are the same.
    assert.ok(Date.now() - since > 3000, `${Date.now() - since} ms`);
    assert.deepEqual([c1.routes(), !!c1.link()], [[], true]);
    n.world.must("rm", "/run/kea-dhcp4.leases");
    await n.kea4(range(150), LONG);
    await daemon.until("another address", () => c1.addresses().join() === SECOND);
    await daemon.until("the default route", () => c1.routes().length === 2);
    assert.deepEqual(c1.routes(), ROUTES);
  });

  test("a cable that is pulled and put in again costs nothing", needs("kea-dhcp4"), async (t) => {
    const n = await DhcpNetwork.start(t);
    const server = await n.kea4(range(50), { renew: 1, rebind: 2, valid: 60 });
    const { c1, daemon } = await attached(n, "-resendmax", "1s");
    n.server.must("ip", "link", "set", "wire", "down");
    await daemon.says(/no carrier/);
    const before = server.lines(/DHCPREQUEST/).length;
    n.server.must("ip", "link", "set", "wire", "up");
    await server.says(/DHCPREQUEST/, { times: before + 2 });
    assert.deepEqual([c1.addresses(), c1.routes()], [[FIRST], ROUTES]);
  });
});
