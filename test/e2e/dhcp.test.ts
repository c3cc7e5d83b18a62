import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { VERSIONS } from "../../src/spec/versions.ts";
import { plumb } from "../programs.ts";
import { DhcpNetwork, macvlan, needs, range, SERVER, SOCKET } from "./dhcp-network.ts";
import { besideReference, reference } from "./world.ts";

// The plugin dhcp on a network whose server is dnsmasq: what is asked for, and what comes of the answer.

const withDnsmasq = needs("dnsmasq");
const DEFAULT = { dst: "0.0.0.0/0", gw: SERVER };

test("macvlan and dhcp in all versions: a lease as long as the container", withDnsmasq, async (t) => {
  const n = await DhcpNetwork.start(t);
  const { world: w } = n;
  await n.dnsmasq();
  await n.daemon();
  const c1 = w.container();
  for (const [i, cniVersion] of VERSIONS.entries()) {
    const config = { ...macvlan, cniVersion };
    const result = w.add(config, c1);
    assert.deepEqual(c1.addresses(), ["10.66.0.50/24"]);
    assert.deepEqual(c1.routes(), [`default via ${SERVER} dev eth0`, "10.66.0.0/24 dev eth0"]);
    assert.deepEqual(n.leases(), ["10.66.0.50 c1/net/eth0"]);
    assert.equal(c1.pings(SERVER), true);
    assert.equal((result.ips?.[0] ?? result.ip4)[i < 2 ? "ip" : "address"], "10.66.0.50/24");
    if (i >= VERSIONS.indexOf("0.4.0")) w.check(config, c1, result);
    w.del(config, c1, { prevResult: result });
    assert.deepEqual([c1.link(), n.leases()], [undefined, []]);
  }
});

test("all that the server tells is in the result, and on the interface", withDnsmasq, async (t) => {
  const n = await DhcpNetwork.start(t);
  const { world: w } = n;
  await n.dnsmasq(
    range(50),
    ...["6,192.0.2.53,192.0.2.54", "15,lan.example", "119,a.example,b.a.example", "26,1400"].map(
      (option) => `--dhcp-option=${option}`,
    ),
  );
  await n.daemon();
  const c1 = w.container();
  const { ips, routes, dns } = w.add(macvlan, c1);
  assert.deepEqual(ips, [{ interface: 0, address: "10.66.0.50/24", gateway: SERVER }]);
  assert.deepEqual(routes, [DEFAULT]);
  assert.deepEqual(dns, {
    nameservers: ["192.0.2.53", "192.0.2.54"],
    domain: "lan.example",
    search: ["a.example", "b.a.example"],
  });
  assert.equal(c1.link().mtu, 1400);
  // The configuration's own wins.
  const c2 = w.container("c2");
  const { dns: configured } = w.add({ ...macvlan, mtu: 1450, dns: { nameservers: ["192.0.2.1"] } }, c2);
  assert.equal(c2.link().mtu, 1450);
  assert.deepEqual(configured, { nameservers: ["192.0.2.1"] });
});

for (const [what, options, given, routes, inKernel] of [
  ["a router", [], {}, [DEFAULT], ["default via 10.66.0.1"]],
  ["no router", ["3"], {}, undefined, []],
  [
    "static routes, and a router",
    ["33,172.20.0.0,10.66.0.2,192.168.7.0,10.66.0.3"],
    {},
    [{ dst: "172.20.0.0/16", gw: "10.66.0.2" }, { dst: "192.168.7.0/24", gw: "10.66.0.3" }, DEFAULT],
    ["default via 10.66.0.1", "172.20.0.0/16 via 10.66.0.2", "192.168.7.0/24 via 10.66.0.3"],
  ],
  [
    "classless routes instead of all others",
    ["33,172.20.0.0,10.66.0.2", "121,10.7.128.0/17,10.66.0.3,0.0.0.0/0,10.66.0.4,192.0.2.0/24,0.0.0.0"],
    {},
    [
      // What is on the link comes first: gateways may be there.
      { dst: "192.0.2.0/24", scope: 253 },
      { dst: "10.7.128.0/17", gw: "10.66.0.3" },
      { dst: "0.0.0.0/0", gw: "10.66.0.4" },
    ],
    ["default via 10.66.0.4", "10.7.128.0/17 via 10.66.0.3", "192.0.2.0/24"],
  ],
  [
    "a priority for all",
    ["121,10.7.128.0/17,10.66.0.3,0.0.0.0/0,10.66.0.4"],
    { priority: 300 },
    [
      { dst: "10.7.128.0/17", gw: "10.66.0.3", priority: 300 },
      { dst: "0.0.0.0/0", gw: "10.66.0.4", priority: 300 },
    ],
    ["default via 10.66.0.4 metric 300", "10.7.128.0/17 via 10.66.0.3 metric 300"],
  ],
] as const)
  test(`the server tells of ${what}`, withDnsmasq, async (t) => {
    const n = await DhcpNetwork.start(t);
    const { world: w } = n;
    await n.dnsmasq(range(50), ...options.map((option) => `--dhcp-option=${option}`));
    await n.daemon();
    const c1 = w.container();
    const config = { ...macvlan, ipam: { type: "dhcp", ...given } };
    const result = w.add(config, c1);
    assert.deepEqual(result.routes, routes);
    const found = c1
      .ip("-4", "route", "show")
      .filter(({ dst }) => dst !== "10.66.0.0/24")
      .map(({ dst, gateway, metric }) => [dst, gateway && `via ${gateway}`, metric && `metric ${metric}`])
      .map((words) => words.filter(Boolean).join(" "));
    assert.deepEqual(found.sort(), [...inKernel].sort());
    w.check(config, c1, result);
  });

test("on a bridge that the cable is in", withDnsmasq, async (t) => {
  const n = await DhcpNetwork.start(t);
  const { world: w } = n;
  await n.dnsmasq();
  await n.daemon();
  const config = n.bridge();
  const [c1, c2] = [w.container("c1"), w.container("c2")];
  const result = w.add(config, c1);
  w.add(config, c2);
  assert.deepEqual(result.ips, [{ interface: 2, address: "10.66.0.50/24", gateway: SERVER }]);
  for (const address of [SERVER, "10.66.0.51"]) assert.equal(c1.pings(address), true);
  w.check(config, c1, result);
  for (const container of [c1, c2]) w.del(config, container);
  assert.deepEqual([n.leases(), w.veths()], [[], ["phys"]]);
});

test("two networks of one container: a lease each", withDnsmasq, async (t) => {
  const n = await DhcpNetwork.start(t);
  const { world: w } = n;
  await n.dnsmasq();
  await n.daemon();
  const c1 = w.container();
  const other = { ...macvlan, name: "other" };
  w.add(macvlan, c1);
  w.add(other, c1, { ifName: "net1" });
  assert.deepEqual(n.leases(), ["10.66.0.50 c1/net/eth0", "10.66.0.51 c1/other/net1"]);
  w.del(other, c1, { ifName: "net1" });
  assert.deepEqual(n.leases(), ["10.66.0.50 c1/net/eth0"]);
  assert.deepEqual(c1.addresses(), ["10.66.0.50/24"]);
});

test("plumb run: address, route and resolv.conf are of the server", withDnsmasq, async (t) => {
  const n = await DhcpNetwork.start(t);
  const { world: w } = n;
  await n.dnsmasq(range(50), "--dhcp-option=6,192.0.2.53", "--dhcp-option=119,a.example");
  await n.daemon();
  const NETCONFPATH = join(w.bin, "net.d");
  mkdirSync(NETCONFPATH);
  const network = { cniVersion: "1.1.0", name: "office", plugins: [macvlan] };
  writeFileSync(join(NETCONFPATH, "10-office.conflist"), JSON.stringify(network));
  const script = "cat /etc/resolv.conf; ip -o -4 address show eth0; ip route";
  const command = [plumb, "run", "--net", "office", "--", "sh", "-c", script];
  const { code, stdout, stderr } = w.exec(command, { env: { NETCONFPATH, CNI_PATH: w.bin } });
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^nameserver 192\.0\.2\.53\nsearch a\.example\n/);
  assert.match(stdout, /inet 10\.66\.0\.50\/24 .*default via 10\.66\.0\.1 dev eth0/s);
  assert.deepEqual(n.leases(), []);
});

for (const [what, ipam, args, seen, unseen] of [
  [
    "what is asked for by default",
    {},
    undefined,
    [/requested options: .*1:netmask/, /requested options: .*3:router/, /requested options: .*6:dns-server/],
    /requested options: .*42:/,
  ],
  [
    "more is requested, by number and name",
    { request: [{ option: "42" }, { option: "host-name" }] },
    undefined,
    [
      /requested options: .*42:ntp-server/,
      /requested options: .*12:hostname/,
      /requested options: .*1:netmask/,
    ],
    /requested options: .*43:/,
  ],
  [
    "nothing but what is requested",
    { request: [{ skipDefault: true }, { option: "subnet-mask" }, { option: "42" }] },
    undefined,
    [/requested options: 1:netmask, 42:ntp-server$/],
    /requested options: .*3:router/,
  ],
  [
    "values, by name and number",
    {
      provide: [
        { option: "host-name", value: "web" },
        { option: "60", value: "Café" },
      ],
    },
    undefined,
    [/client provides name: web$/, /vendor class: Caf/],
    /user class/,
  ],
  [
    "values from CNI_ARGS, over those that are written",
    {
      provide: [
        { option: "host-name", fromArg: "K8S_POD_NAME" },
        { option: "vendor-class-identifier", value: "written", fromArg: "CLASS" },
        { option: "77", fromArg: "NOT_THERE" },
      ],
    },
    "IgnoreUnknown=1;K8S_POD_NAME=pod-1;CLASS=named",
    [/client provides name: pod-1$/, /vendor class: named$/],
    /user class/,
  ],
  ["an answer by broadcast", { broadcast: true }, undefined, [/broadcast response/], /never/],
  ["an answer by unicast", {}, undefined, [], /broadcast response/],
] as const)
  test(`the server sees ${what}`, withDnsmasq, async (t) => {
    const n = await DhcpNetwork.start(t);
    const { world: w } = n;
    const server = await n.dnsmasq();
    await n.daemon();
    w.add({ ...macvlan, ipam: { type: "dhcp", ...ipam } }, w.container(), { args });
    await server.says(/DHCPACK/);
    // A long list is logged in lines.
    const [, ...lines] = server.output.split(/^(?=.*DHCPDISCOVER)/m);
    const log = lines.join("").replaceAll(/\n.* requested options: (?!1:netmask)/g, ", ");
    for (const pattern of seen) assert.match(log, new RegExp(pattern, "m"));
    assert.doesNotMatch(log, unseen);
  });

test("-broadcast has all servers answer so", withDnsmasq, async (t) => {
  const n = await DhcpNetwork.start(t);
  const server = await n.dnsmasq();
  await n.daemon("-broadcast");
  n.world.add(macvlan, n.world.container());
  await server.says(/broadcast response/);
});

const both = { skip: withDnsmasq.skip || besideReference.skip };

test("who had a lease by the reference's daemon gets the same address by ours", both, async (t) => {
  const n = await DhcpNetwork.start(t);
  const { world: w } = n;
  await n.dnsmasq();
  const theirs = await n.referenceDaemon();
  const c1 = w.container();
  const names = [{}, { ifName: "net1", env: { CNI_CONTAINERID: "c".repeat(300) } }];
  const before = { ...macvlan, cniVersion: "1.0.0" };
  const calls = names.map((name) => w.start("ADD", before, c1, { path: reference, ...name }));
  for (const { code, output } of await Promise.all(calls)) assert.equal(code, 0, JSON.stringify(output));
  const held = n.leases();
  assert.deepEqual(
    held.map((lease) => lease.length - lease.indexOf(" ") - 1).sort(),
    ["c1/net/eth0".length, 254].sort(),
  );
  await theirs.stop("SIGKILL");
  for (const link of ["eth0", "net1"]) c1.must("ip", "link", "del", link);
  w.must("rm", SOCKET);
  await n.daemon();
  for (const name of names) w.add(macvlan, c1, name);
  assert.deepEqual(n.leases(), held);
  assert.deepEqual(
    [...c1.addresses("eth0"), ...c1.addresses("net1")].sort(),
    held.map((lease) => `${lease.split(" ")[0]}/24`),
  );
});
