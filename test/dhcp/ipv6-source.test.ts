import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parseIp } from "../../src/address/ip.ts";
import { ContainerInterface } from "../../src/dhcp/container-interface.ts";
import { Bpf, openPacketSocket, sendFrame } from "../../src/dhcp/packet-socket.ts";
import type { Wish } from "../../src/dhcp/protocol.ts";
import {
  advertisement,
  bytes as bytesOf,
  prefix as prefixOption,
} from "../../src/dhcp/ra/advertisement.node.ts";
import { encodeIcmp } from "../../src/dhcp/ra/icmp.ts";
import { settingsJson } from "../../src/dhcp/settings.ts";
import type { Lease, SourceContext } from "../../src/dhcp/source.ts";
import { Ipv6Source } from "../../src/dhcp/v6/source.ts";
import { programs, Server, V6Link } from "./v6-link.ts";

/** A lease's settings as JSON, in which identifiers of this run's interfaces have names. */
function settingsOf({ settings }: Lease, link: V6Link): unknown {
  const text = JSON.stringify(settingsJson(settings));
  const router = linkLocal(link.server, "s0");
  const own = linkLocal(link.client, "eth0").replace("fe80::", "");
  return JSON.parse(text.replaceAll(router, "ROUTER").replaceAll(own, "OWN"));
}

function addresses({ settings }: Lease, link: V6Link): string[] {
  const own = linkLocal(link.client, "eth0").replace("fe80::", "");
  return (settings.ips ?? []).map(({ address }) => `${address}`.replace(own, "OWN")).sort();
}

function linkLocal(namespace: V6Link["client"], ifName: string): string {
  return inetOf(namespace, ifName).find((address) => address.startsWith("fe80"))!;
}

function inetOf(namespace: V6Link["client"], ifName: string): string[] {
  const [{ addr_info }] = namespace.ip("-6", "address", "show", "dev", ifName);
  return addr_info.map(({ local }: { local: string }) => local);
}

function contextOf(link: V6Link, ipv6: Wish["ipv6"], wish: Partial<Wish> = {}): SourceContext {
  const context = link.context();
  return { ...context, wish: { ...context.wish, ipv6, mtu: true, ...wish } };
}

function start(link: V6Link, ...wish: [Wish["ipv6"], Partial<Wish>?]): Ipv6Source {
  const source = new Ipv6Source(contextOf(link, ...wish), link.events);
  source.start();
  return source;
}

/** radvd, as a router that says this of s0. */
async function radvd(
  link: V6Link,
  t: ConstructorParameters<typeof Server>[0],
  says: string,
): Promise<Server> {
  const path = join(link.folder, "radvd.conf");
  writeFileSync(
    path,
    `interface s0 { AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; ${says} };\n`,
  );
  const pidFile = join(link.folder, "radvd.pid");
  const server = new Server(t, link.server, "radvd", "-n", "-C", path, "-p", pidFile, "-m", "stderr");
  await server.says(/started/);
  return server;
}

const prefix = (text: string, options = "") => `prefix ${text} { ${options} };`;

test(
  "radvd says all that there is to say, and the kernel makes nothing of it",
  programs("radvd"),
  async (t) => {
    const link = new V6Link(t);
    // As if another hand had been at the interface before.
    link.client.run("sysctl", "-qw", "net.ipv6.conf.eth0.accept_ra=2", "net.ipv6.conf.eth0.autoconf=1");
    link.client.run("ip", "address", "add", "fd00:9::9/64", "dev", "eth0");
    await radvd(
      link,
      t,
      `AdvDefaultLifetime 1800; AdvLinkMTU 1400;
     ${prefix("fd00:1::/64", "AdvValidLifetime 3600; AdvPreferredLifetime 1800;")}
     ${prefix("fd00:2::/64", "AdvOnLink off;")}
     ${prefix("fd00:3::/64", "AdvAutonomous off;")}
     route fd00:4::/48 { AdvRouteLifetime 900; };
     RDNSS fd00:1::53 fe80::53 { AdvRDNSSLifetime 600; };
     DNSSL office.example lab.example { };`,
    );
    const before = link.loop.now();
    start(link, "slaac", { priority: 300 });
    const lease = link.bound();
    assert.deepEqual(settingsOf(lease, link), {
      ips: [{ address: "fd00:1::OWN/64" }, { address: "fd00:2::OWN/128" }],
      routes: [
        { dst: "fd00:3::/64", scope: 253, priority: 300 },
        { dst: "::/0", gw: "ROUTER", priority: 300 },
        { dst: "fd00:4::/48", gw: "ROUTER", priority: 300 },
      ],
      dns: { nameservers: ["fd00:1::53", "fe80::53%eth0"], search: ["office.example", "lab.example"] },
      mtu: 1400,
    });
    // radvd's DNSSL lives as long as three of its intervals.
    assert.ok(lease.renewAt > before && lease.renewAt <= before + 20_000, `${lease.renewAt - before}`);
    assert.ok(lease.expiresAt > before + 3_000_000);
    assert.deepEqual(inetOf(link.client, "eth0"), [linkLocal(link.client, "eth0")]);
    const routes = link.client.ip("-6", "route", "show", "dev", "eth0").map(({ dst }) => dst);
    assert.deepEqual(routes, ["fe80::/64"]);
    assert.deepEqual(link.logged, []);
  },
);

const DNSMASQ_DNS = "--dhcp-option=option6:dns-server,[fd00:1::53]";
const byDnsmasq: [what: string, range: string, mode: Wish["ipv6"], ips: RegExp[], log: RegExp | undefined][] =
  [
    ["ra-only", "fd00:1::,ra-only,64,10m", "slaac", [/^fd00:1::OWN\/64$/], undefined],
    ["ra-only", "fd00:1::,ra-only,64,10m", "auto", [/^fd00:1::OWN\/64$/], undefined],
    ["ra-stateless", "fd00:1::,ra-stateless,64,10m", "auto", [/^fd00:1::OWN\/64$/], undefined],
    ["DHCPv6", "fd00:1::100,fd00:1::1ff,64,10m", "auto", [/^fd00:1::1..\/64$/], undefined],
    ["DHCPv6", "fd00:1::100,fd00:1::1ff,64,10m", "dhcp", [/^fd00:1::1..\/64$/], undefined],
    ["DHCPv6", "fd00:1::100,fd00:1::1ff,64,10m", "slaac", [], /router fe80:.* advertises no prefix/],
    [
      "DHCPv6 and SLAAC",
      "fd00:1::100,fd00:1::1ff,slaac,64,10m",
      "auto",
      [/^fd00:1::1..\/64$/, /OWN\/64$/],
      undefined,
    ],
    ["DHCPv6 and SLAAC", "fd00:1::100,fd00:1::1ff,slaac,64,10m", "dhcp", [/^fd00:1::1..\/64$/], undefined],
  ];
for (const [what, range, mode, ips, log] of byDnsmasq)
  test(`dnsmasq's ${what} in mode ${mode}`, programs("dnsmasq"), async (t) => {
    const link = new V6Link(t);
    await link.dnsmasq(range, "--enable-ra", DNSMASQ_DNS);
    const source = start(link, mode);
    if (log) {
      link.until("the source says why", () => link.logged.some((line) => log.test(line)));
      return;
    }
    const lease = link.bound();
    const found = addresses(lease, link);
    assert.equal(found.length, ips.length, found.join(", "));
    for (const [index, wanted] of ips.entries()) assert.match(found[index]!, wanted);
    assert.deepEqual(lease.settings.dns?.nameservers, ["fd00:1::53"]);
    const router = linkLocal(link.server, "s0");
    assert.ok(lease.settings.routes?.some(({ dst, gw }) => `${dst} ${gw}` === `::/0 ${router}`));
    assert.deepEqual(link.logged, []);

    source.stop();
    const later = new Ipv6Source(contextOf(link, mode), link.events);
    later.start({ ...lease, memory: JSON.parse(JSON.stringify(lease.memory)) });
    assert.deepEqual(settingsJson(link.bound().settings), settingsJson(lease.settings));
    later.release();
    if (!range.includes(",ra-"))
      link.until("the server has its address back", () => !/ fd00:1::1/.test(link.dnsmasqLeases));
    assert.deepEqual(
      link.told.filter(({ what }) => what !== "bound"),
      [],
    );
  });

test("without routers DHCPv6 is enough, a moment later", programs("dnsmasq"), async (t) => {
  const link = new V6Link(t);
  await link.dnsmasq("fd00:1::100,fd00:1::1ff,64,10m");
  start(link, "dhcp");
  const lease = link.bound();
  assert.match(`${addresses(lease, link)}`, /^fd00:1::1..\/128$/);
  assert.deepEqual(lease.settings.routes, []);
  assert.deepEqual(link.logged, ["a router advertisement has not come: going on without"]);
  assert.equal(link.sockets() + link.client.run("ss", "-H0a"), "", "no socket is held");
});

test("an address that another host has is left to it", programs("radvd"), async (t) => {
  const link = new V6Link(t);
  const own = linkLocal(link.client, "eth0").replace("fe80::", "");
  link.server.run("ip", "address", "add", `fd00:2::${own}/64`, "dev", "s0", "nodad");
  await radvd(link, t, prefix("fd00:1::/64") + prefix("fd00:2::/64"));
  start(link, "slaac");
  assert.deepEqual(addresses(link.bound(), link), ["fd00:1::OWN/64"]);
  assert.deepEqual(link.logged, [`fd00:2::${own} is in use by another host`]);
});

test("what is forged, damaged, or comes from elsewhere is not believed", (t) => {
  const link = new V6Link(t);
  const wire = new ContainerInterface(link.host, `/run/netns/${link.server.name}`, "s0");
  const fd = wire.use((reached) => openPacketSocket(reached, 0, [[Bpf.Return, 0, 0, 0]]));
  t.after(() => link.host.close(fd));
  start(link, "slaac");
  link.until("it listens", () => link.client.run("ss", "-H0a") !== "");
  const packet = (source: string, said: string) => {
    const icmp = advertisement({}, prefixOption(said, 600));
    return encodeIcmp({ source: parseIp(source)!, destination: parseIp("ff02::1")!, icmp });
  };
  const forwarded = packet("fe80::66", "fd00:a::/64").with(7, 254);
  const damaged = packet("fe80::66", "fd00:b::/64").with(45, 1);
  const global = packet("fd00::66", "fd00:c::/64");
  const cut = packet("fe80::66", "fd00:d::/64").subarray(0, 70);
  for (const bytes of [forwarded, damaged, global, cut, packet("fe80::99", "fd00:e::/64")])
    sendFrame(link.host, fd, bytesOf([0x33, 0x33, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0x66, 0x86, 0xdd], bytes));
  assert.deepEqual(settingsOf(link.bound(), link), {
    ips: [{ address: "fd00:e::OWN/64", gateway: "fe80::99" }],
    routes: [{ dst: "::/0", gw: "fe80::99" }],
  });
});

test("what a router does not repeat runs out, piece by piece", programs("radvd"), async (t) => {
  const link = new V6Link(t);
  const valid = (seconds: number) => `AdvValidLifetime ${seconds}; AdvPreferredLifetime ${seconds};`;
  const says = `AdvDefaultLifetime 4; ${prefix("fd00:1::/64", valid(5))} ${prefix("fd00:2::/64", valid(6))}`;
  const router = await radvd(link, t, says);
  start(link, "slaac");
  assert.deepEqual(addresses(link.bound(), link), ["fd00:1::OWN/64", "fd00:2::OWN/64"]);
  await router.stop("SIGKILL");
  const seen: string[] = [];
  for (let told = link.next(); told.what === "bound"; told = link.next())
    seen.push(`${addresses(told.lease!, link)} and ${told.lease!.settings.routes?.length} routes`);
  assert.deepEqual([...new Set(seen)].slice(-2), [
    "fd00:1::OWN/64,fd00:2::OWN/64 and 0 routes",
    "fd00:2::OWN/64 and 0 routes",
  ]);
  // The router comes back, and so does the address.
  await radvd(link, t, says);
  assert.deepEqual(addresses(link.bound(), link), ["fd00:1::OWN/64", "fd00:2::OWN/64"]);
});

test("an interface that has gone is told", programs("radvd"), async (t) => {
  const link = new V6Link(t);
  await radvd(link, t, prefix("fd00:1::/64", "AdvValidLifetime 6; AdvPreferredLifetime 6;"));
  start(link, "slaac");
  link.bound();
  link.server.run("ip", "link", "delete", "s0");
  let told = link.next();
  while (told.what !== "gone") told = link.next();
  assert.match(told.reason!, /^there is no interface eth0 in/);
});
