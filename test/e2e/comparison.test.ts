import assert from "node:assert/strict";
import { test } from "node:test";
import { DEVICE_MAC, plug } from "./host-device.ts";
import { linesOf } from "./kernel-state.ts";
import { besideReference, type Container, type Json, reference, World } from "./world.ts";

// The same call to ours and to the reference, each in a world of its own: the results, and what they make of the kernel.

interface Difference {
  readonly why: string;
  /** The lines of the state that it concerns. */
  readonly lines: RegExp;
}

interface Comparison {
  readonly what: string;
  readonly config: Json;
  /** What is there before; gives prevResult for a chained plugin. */
  readonly prepare: (w: World, c1: Container) => Json;
  /** MAC addresses that are not made up. */
  readonly macs?: readonly string[];
  /** Where ours differs on purpose. */
  readonly differs?: readonly Difference[];
}

const INDEX: Difference = {
  why: "host-local has an index, by which it finds a free address and a container's without reading all files",
  lines: /: file \/var\/lib\/cni\/networks\/\.plumb\//,
};
const ALIAS: Difference = {
  why: "the alias tells GC and DEL whose link it is",
  lines: /: link \w+ alias "(cni:net\/c1\/eth0)?"/,
};
const QUEUE: Difference = {
  why: "the queue has the kernel's length, not 0, as with newer releases of the reference",
  lines: /: link eth0 macvlan \w+ {2}\S+ \d+ (0|1000) /,
};
const NEIGHBOURS: Difference = {
  why: "IPv6 neighbours are told of the address, which survives a link that goes down, as with newer releases of the reference",
  lines: /\.(ndisc_notify|keep_addr_on_down) = /,
};
const WITHOUT_DELAY: Difference = {
  why: "IPAM has said whose the address is: asking for duplicates would delay the first packet by a second",
  lines: /\.accept_dad = /,
};
const BACKUP: Difference = {
  why: "the backup says for which network it is, for GC, and what was set, for a second tuning in the chain",
  lines: /: file \/run\/cni\/tuning\/c1_eth0\.json:/,
};
const LENT: Difference = {
  why: "a record says where the device is, for a DEL without the namespace and for GC",
  lines: /: file \/run\/cni\/host-device\/c1:eth0\.json:/,
};

const WISHED = "02:00:5e:00:53:01";
const v4 = {
  type: "host-local",
  ranges: [[{ subnet: "10.1.0.0/24" }]],
  routes: [{ dst: "0.0.0.0/0" }, { dst: "10.9.0.0/16", gw: "10.1.0.7" }],
};

const both = {
  ...v4,
  ranges: [...v4.ranges, [{ subnet: "fd01::/64" }]],
  routes: [...v4.routes, { dst: "::/0" }],
};

/** What a plugin before would have made: the veth pair of host0 and eth0, with addresses and routes. */
function makePair(w: World, c1: Container): Json {
  w.must(..."ip link add host0 type veth peer name eth0 netns c1".split(" "));
  for (const setting of ["up", "addrgenmode none"]) {
    w.must("ip", "link", "set", "host0", ...setting.split(" "));
    c1.must("ip", "link", "set", "eth0", ...setting.split(" "));
  }
  for (const words of [
    "address add 10.1.0.2/24 dev eth0",
    "address add fd01::2/64 dev eth0 nodad",
    "route add default via 10.1.0.1",
    "route add 10.9.0.0/16 via 10.1.0.7",
    "-6 route add default via fd01::1",
  ])
    c1.must("ip", ...words.split(" "));
  return {
    cniVersion: "1.0.0",
    interfaces: [
      { name: "host0", mac: w.link("host0").address },
      { name: "eth0", mac: c1.link().address, sandbox: c1.netns },
    ],
    ips: [
      { interface: 1, address: "10.1.0.2/24", gateway: "10.1.0.1" },
      { interface: 1, address: "fd01::2/64", gateway: "fd01::1" },
    ],
    routes: [
      { dst: "0.0.0.0/0", gw: "10.1.0.1" },
      { dst: "10.9.0.0/16", gw: "10.1.0.7" },
      { dst: "::/0", gw: "fd01::1" },
    ],
  };
}

function makeMaster(w: World): void {
  w.must(..."ip link add m0 mtu 1400 type bridge".split(" "));
  w.must("ip", "link", "set", "m0", "up");
}

const portmap = (mapping: Json, more: Json = {}) => ({
  type: "portmap",
  backend: "iptables",
  capabilities: { portMappings: true },
  runtimeConfig: { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: "tcp", ...mapping }] },
  ...more,
});
const onMaster = { prepare: makeMaster, differs: [ALIAS, QUEUE, INDEX] };
const macvlan = { type: "macvlan", master: "m0", ipam: v4 };
const lent = { prepare: (w: World) => plug(w), macs: [DEVICE_MAC] };
const limited = { type: "bandwidth", ingressRate: 8e6, ingressBurst: 8e5 };

const comparisons: readonly Comparison[] = [
  {
    what: "macvlan",
    prepare: makeMaster,
    config: { ...macvlan, ipam: both },
    differs: [ALIAS, QUEUE, INDEX, NEIGHBOURS, WITHOUT_DELAY],
  },
  ...["private", "vepa", "passthru"].map((mode) => ({
    what: `macvlan in mode ${mode}`,
    ...onMaster,
    config: { ...macvlan, mode, mtu: 1300 },
  })),
  {
    what: "macvlan with a MAC address from the runtime",
    ...onMaster,
    macs: [WISHED],
    config: { ...macvlan, runtimeConfig: { mac: WISHED } },
  },
  {
    what: "macvlan on layer 2",
    prepare: makeMaster,
    config: { type: "macvlan", master: "m0" },
    differs: [ALIAS, QUEUE],
  },
  {
    what: "host-device",
    ...lent,
    config: { type: "host-device", device: "dev5", ipam: both },
    differs: [
      INDEX,
      LENT,
      NEIGHBOURS,
      WITHOUT_DELAY,
      {
        why: "IPv4 neighbours are told too, as the reference does for other interfaces",
        lines: /\.arp_notify = /,
      },
    ],
  },
  {
    what: "host-device on layer 2",
    ...lent,
    config: { type: "host-device", hwaddr: DEVICE_MAC },
    differs: [LENT],
  },
  {
    what: "tuning",
    prepare: makePair,
    macs: [WISHED],
    config: {
      type: "tuning",
      ...{ mac: WISHED, mtu: 1400, promisc: true, allmulti: true },
      sysctl: { "net.ipv4.conf.IFNAME.arp_ignore": "1" },
    },
    differs: [BACKUP],
  },
  {
    what: "tuning by args",
    prepare: makePair,
    macs: [WISHED],
    config: {
      ...{ type: "tuning", mtu: 1400, sysctl: { "net.ipv4.ip_forward": "1" } },
      args: { cni: { mac: WISHED, mtu: 1300 } },
    },
    differs: [BACKUP],
  },
  {
    what: "bandwidth",
    prepare: makePair,
    config: { ...limited, egressRate: 16e6, egressBurst: 16e5 },
    differs: [ALIAS],
  },
  { what: "bandwidth to the container alone", prepare: makePair, config: limited },
  { what: "bandwidth without limits", prepare: makePair, config: { type: "bandwidth" } },
  { what: "portmap", prepare: makePair, config: portmap({}) },
  {
    what: "portmap for an address, without snat",
    prepare: makePair,
    config: portmap({ hostIP: "192.0.2.1" }, { snat: false }),
    differs: [
      {
        why: "a port of an IPv4 address has no part in IPv6: the reference's chain there is empty",
        lines: /^theirs: ip6tables-save nat: /,
      },
    ],
  },
  {
    what: "firewall",
    prepare: makePair,
    config: { type: "firewall", backend: "iptables" },
    differs: [
      {
        why: "records say whose addresses the rules are for",
        lines: /: file \/run\/cni\/firewall\/[\da-f.:]+-/,
      },
    ],
  },
  {
    what: "sbr",
    prepare: makePair,
    config: { type: "sbr" },
    differs: [
      {
        why: "the rules are marked, so that GC knows them",
        lines: /: rule 32765:\s+from \S+ lookup 10[01]( proto 112)?$/,
      },
      {
        why: "IPv6 routes have no place in the table of an IPv4 address",
        lines: /^theirs: container: route fd01::\/64 dev eth0 table 100 /,
      },
    ],
  },
];

for (const { what, config, prepare, macs = [], differs = [] } of comparisons)
  test(`${what}: the result and the kernel's state are as with the reference`, besideReference, async (t) => {
    const [ours, theirs] = await Promise.all(
      [[], [reference!]].map(async (first) => {
        const w = await World.start(t);
        const c1 = w.container();
        const prevResult = prepare(w, c1);
        const path = [...first, w.bin].join(":");
        const result = w.add({ cniVersion: "1.0.0", ...config }, c1, { path, prevResult });
        return [...linesOf(w, c1, macs), ...resultLines(result, macs)];
      }),
    );
    const apart = [...without(ours!, theirs!, "ours"), ...without(theirs!, ours!, "theirs")];
    const unexplained = apart.filter((line) => !differs.some(({ lines }) => lines.test(line)));
    assert.deepEqual(unexplained, []);
    for (const { why, lines } of differs)
      assert.ok(
        apart.some((line) => lines.test(line)),
        why,
      );
  });

/** The lines that only `some` has. */
function without(some: readonly string[], others: readonly string[], whose: string): string[] {
  return some.filter((line) => !others.includes(line)).map((line) => `${whose}: ${line}`);
}

function resultLines(result: Json, macs: readonly string[]): string[] {
  // The reference may write a dns without anything in it.
  const { interfaces, dns = {}, ...rest } = result;
  return [
    ...Object.entries({ ...rest, dns }).map(([key, value]) => `result ${key} ${JSON.stringify(value)}`),
    ...interfaces.map(
      ({ mac, ...rest }: Json, at: number) =>
        `result interface ${at} ${JSON.stringify(rest)} ${macs.includes(mac) ? mac : typeof mac}`,
    ),
  ];
}
