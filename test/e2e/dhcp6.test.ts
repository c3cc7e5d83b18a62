import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { VERSIONS } from "../../src/spec/versions.ts";
import { DhcpNetwork, LONG, macvlan, needs, range, SERVER, SERVER6 } from "./dhcp-network.ts";
import type { Program } from "./program.ts";
import type { Container, Json } from "./world.ts";

// IPv6 by DHCPv6, by router advertisements, and beside IPv4. The tests wait side by side: a link-local address takes
// a second by itself.

const together = { concurrency: true };
const wishing = (ipam: Json): Json => ({ ...macvlan, ipam: { type: "dhcp", ...ipam } });
const byDhcp = wishing({ ipv4: "none", ipv6: "dhcp" });
const bySlaac = wishing({ ipv4: "none", ipv6: "slaac" });
const dual = wishing({ ipv6: "auto" });
const PREFIX = "prefix fd66::/64 { AdvValidLifetime 3600; AdvPreferredLifetime 1800; };";

async function add(config: Json, container: Container): Promise<Json> {
  const { code, output } = await container.world.start("ADD", config, container);
  assert.equal(code, 0, JSON.stringify(output));
  return output;
}

/** The router's link-local address. */
function router(n: DhcpNetwork): string {
  return n.server
    .link("wire")
    .addr_info.find(({ scope, family }: Json) => family === "inet6" && scope === "link").local;
}

/** The address of a prefix of 64 bits that comes of the interface's MAC. */
function autonomous(container: Container): string {
  const bytes = container
    .link()
    .address.split(":")
    .map((byte: string) => Number.parseInt(byte, 16));
  const id = [bytes[0] ^ 2, bytes[1], bytes[2], 0xff, 0xfe, ...bytes.slice(3)];
  const groups = [0, 2, 4, 6].map((i) => ((id[i] << 8) | id[i + 1]).toString(16));
  return `fd66::${groups.join(":")}/64`;
}

/** IPv6 routes that somebody made: not those of the addresses. */
const ways = (container: Container) => container.routes(6).filter((route) => route.includes(" via "));

/** dnsmasq as a router that tells to ask it. */
const dnsmasq6 = (n: DhcpNetwork, ...more: string[]): Promise<Program> =>
  n.dnsmasq(
    range(50),
    "--enable-ra",
    "--ra-param=wire,4",
    "--dhcp-range=fd66::50,fd66::6f,64,1h",
    "--dhcp-option=option6:dns-server,[fd66::53]",
    "--dhcp-option=option6:domain-search,six.example",
    ...more,
  );

describe("DHCPv6", together, () => {
  test(
    "from dnsmasq: address, prefix and router's route, DNS; DEL gives it back",
    needs("dnsmasq"),
    async (t) => {
      const n = await DhcpNetwork.start(t);
      const server = await dnsmasq6(n);
      await n.daemon();
      const c1 = n.world.container();
      const result = await add(byDhcp, c1);
      assert.equal(result.ips.length, 1);
      const { address, gateway } = result.ips[0];
      assert.match(address, /^fd66::[56][0-9a-f]\/64$/);
      assert.equal(gateway, router(n));
      assert.deepEqual(result.routes, [{ dst: "::/0", gw: router(n) }]);
      assert.deepEqual(result.dns, { nameservers: ["fd66::53"], search: ["six.example"] });
      assert.deepEqual(c1.addresses(), [address]);
      assert.deepEqual(ways(c1), [`default via ${router(n)} dev eth0`]);
      assert.equal(c1.pings(SERVER6), true);
      n.world.check(byDhcp, c1, result);
      n.world.del(byDhcp, c1);
      await server.says(/DHCPRELEASE/);
    },
  );

  test(
    "from Kea: renewed, rebound, kept over a restart, released",
    needs("kea-dhcp6", "radvd"),
    async (t) => {
      const n = await DhcpNetwork.start(t);
      await n.radvd("AdvManagedFlag on;", "prefix fd66::/64 { AdvAutonomous off; };");
      const times = { renew: 1, rebind: 6, valid: 10 };
      const server = await n.kea6(times);
      const daemon = await n.daemon();
      const c1 = n.world.container();
      const { ips } = await add(byDhcp, c1);
      assert.match(ips[0].address, /^fd66::[5-9]\d\/64$/);
      await server.says(/DHCP6_PACKET_RECEIVED.*RENEW/, { times: 2 });
      await daemon.stop("SIGKILL");
      await n.daemon();
      const renewed = server.lines(/DHCP6_PACKET_RECEIVED.*RENEW/).length;
      await server.says(/DHCP6_PACKET_RECEIVED.*RENEW/, { times: renewed + 2 });
      assert.deepEqual(c1.addresses(), [ips[0].address]);
      assert.equal(server.lines(/DHCP6_PACKET_RECEIVED.*SOLICIT/).length, 1);
      n.world.del(byDhcp, c1);
      await server.says(/DHCP6_PACKET_RECEIVED.*RELEASE/);
    },
  );

  test(
    "a server that is gone: kept until the end, then sought again",
    needs("kea-dhcp6", "radvd"),
    async (t) => {
      const n = await DhcpNetwork.start(t);
      await n.radvd("AdvManagedFlag on;", "prefix fd66::/64 { AdvAutonomous off; };");
      const server = await n.kea6({ renew: 1, rebind: 2, valid: 4 });
      const daemon = await n.daemon("-resendmax", "1s");
      const c1 = n.world.container();
      await add(byDhcp, c1);
      await server.stop();
      await daemon.until("the end", () => c1.addresses().length === 0);
      n.world.must("sh", "-c", "rm /run/kea-dhcp6.leases*");
      await n.kea6(LONG, { pools: [{ pool: "fd66::150-fd66::199" }] });
      await daemon.until("another address", () => /^fd66::1[5-9]\d\/64$/.test(c1.addresses().join()));
    },
  );

  test("no server: ADD gives up", async (t) => {
    const n = await DhcpNetwork.start(t);
    await n.daemon("-resendtimeout", "3s");
    const c1 = n.world.container();
    const { code, output } = await n.world.start("ADD", byDhcp, c1);
    assert.deepEqual([code, output.code, c1.link()], [1, 11, undefined], JSON.stringify(output));
  });
});

describe("router advertisements", together, () => {
  test("address, route, DNS and MTU, in all versions", needs("radvd"), async (t) => {
    const n = await DhcpNetwork.start(t);
    await n.radvd(
      PREFIX,
      "AdvLinkMTU 1400;",
      "route fd77::/48 {};",
      "RDNSS fd66::53 fd66::54 {};",
      "DNSSL a.example b.example {};",
    );
    await n.daemon();
    const c1 = n.world.container();
    const result = await add(bySlaac, c1);
    assert.deepEqual(result.ips, [{ interface: 0, address: autonomous(c1), gateway: router(n) }]);
    assert.deepEqual(
      new Set(result.routes.map(({ dst, gw }: Json) => `${dst} ${gw}`)),
      new Set([`::/0 ${router(n)}`, `fd77::/48 ${router(n)}`]),
    );
    assert.deepEqual(result.dns, {
      nameservers: ["fd66::53", "fd66::54"],
      search: ["a.example", "b.example"],
    });
    assert.deepEqual(c1.addresses(), [autonomous(c1)]);
    assert.equal(c1.link().mtu, 1400);
    assert.deepEqual(ways(c1).sort(), [
      `default via ${router(n)} dev eth0`,
      `fd77::/48 via ${router(n)} dev eth0`,
    ]);
    assert.equal(c1.pings(SERVER6), true);
    n.world.check(bySlaac, c1, result);
    n.world.del(bySlaac, c1);
    const containers = VERSIONS.map((_, i) => n.world.container(`v${i}`));
    const results = await Promise.all(
      containers.map((container, i) => add({ ...bySlaac, cniVersion: VERSIONS[i] }, container)),
    );
    assert.deepEqual(
      results.map(({ ip6, ips }) => ip6?.ip ?? ips[0].address),
      containers.map(autonomous),
    );
  });

  test("a prefix that the router takes back goes, another one comes", needs("radvd"), async (t) => {
    const n = await DhcpNetwork.start(t);
    const server = await n.radvd(PREFIX);
    const daemon = await n.daemon();
    const c1 = n.world.container();
    await add(bySlaac, c1);
    const first = c1.addresses();
    await server.stop();
    await n.radvd("prefix fd88::/64 {};");
    await daemon.until("an address of the other prefix", () =>
      c1.addresses().some((address) => address.startsWith("fd88:")),
    );
    assert.equal(first.length, 1);
  });

  test("no router: ADD gives up", async (t) => {
    const n = await DhcpNetwork.start(t);
    await n.daemon("-resendtimeout", "3s");
    const c1 = n.world.container();
    const { code, output } = await n.world.start("ADD", bySlaac, c1);
    assert.deepEqual([code, output.code, c1.link()], [1, 11, undefined], JSON.stringify(output));
  });
});

describe("both families", together, () => {
  for (const [what, start] of [
    ["by two DHCP servers", (n: DhcpNetwork) => dnsmasq6(n)],
    [
      "by a DHCP server and a router",
      async (n: DhcpNetwork) => {
        await n.dnsmasq();
        return await n.radvd(PREFIX, "RDNSS fd66::53 {};");
      },
    ],
  ] as const)
    test(what, needs("dnsmasq", "radvd"), async (t) => {
      const n = await DhcpNetwork.start(t);
      await start(n);
      const daemon = await n.daemon();
      const c1 = n.world.container();
      const result = await add(dual, c1);
      assert.deepEqual(
        result.ips.map(({ address, gateway }: Json) => [address.slice(0, 4), gateway]),
        [
          ["10.6", SERVER],
          ["fd66", router(n)],
        ],
      );
      assert.deepEqual(result.routes, [
        { dst: "0.0.0.0/0", gw: SERVER },
        { dst: "::/0", gw: router(n) },
      ]);
      assert.deepEqual(result.dns.nameservers, ["fd66::53"]);
      for (const address of [SERVER, SERVER6]) assert.equal(c1.pings(address), true, address);
      n.world.check(dual, c1, result);
      await daemon.stop("SIGKILL");
      const next = await n.daemon();
      const addresses = result.ips.map(({ address }: Json) => address);
      assert.deepEqual([c1.addresses(), next.running], [addresses, true]);
      n.world.del(dual, c1);
      assert.deepEqual(n.records(), []);
    });

  test("on a bridge that the cable is in", needs("dnsmasq"), async (t) => {
    const n = await DhcpNetwork.start(t);
    await dnsmasq6(n);
    await n.daemon();
    const c1 = n.world.container();
    const config = { ...n.bridge(), ipam: dual.ipam };
    const result = await add(config, c1);
    assert.deepEqual(
      c1.addresses(),
      result.ips.map(({ address }: Json) => address),
    );
    assert.equal(c1.pings(SERVER6), true);
    n.world.del(config, c1);
    assert.deepEqual(n.records(), []);
  });

  test(
    "one family without an answer: ADD gives up, and gives back the other's lease",
    needs("dnsmasq"),
    async (t) => {
      const n = await DhcpNetwork.start(t);
      await n.dnsmasq();
      await n.daemon("-resendtimeout", "3s");
      const c1 = n.world.container();
      const { code, output } = await n.world.start("ADD", dual, c1);
      assert.deepEqual([code, output.code], [1, 11], JSON.stringify(output));
      assert.deepEqual([n.leases(), n.records(), c1.link()], [[], [], undefined]);
    },
  );
});
