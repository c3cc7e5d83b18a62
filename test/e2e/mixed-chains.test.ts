import { answer, outside } from "./answering.ts";
import {
  addressesOf,
  allAnswer,
  allPing,
  type Limit,
  type Member,
  type Question,
  type Subject,
  testMixed,
} from "./mixed.ts";
import type { Container, Json, World } from "./world.ts";

// Plugins behind bridge in a chain, on a host where the reference's plugins and ours take turns.

const ipam = {
  type: "host-local",
  ranges: [[{ subnet: "10.1.0.0/24" }], [{ subnet: "fd01::/64" }]],
  routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }],
};
const bridge = { type: "bridge", bridge: "br0", isGateway: true, hairpinMode: true, ipam };
const masqueraded = { ...bridge, ipMasq: true, ipMasqBackend: "iptables" };
const GONE = [
  "with prevResult, the namespace gone",
  "without prevResult and CNI_NETNS, the namespace gone",
] as const;
const leavesMasquerade: Limit = {
  why: "without the namespace the reference does not know whose rules they are",
  ways: GONE,
  leaves: /^(chain|rule) ip6? nat (CNI-[0-9a-f]|POSTROUTING )/,
};

const reachGateway = (w: World, members: readonly Member[]) =>
  allPing(
    w,
    members.flatMap(({ container }) => ["10.1.0.1", "fd01::1"].map((to) => [container.id, to] as const)),
  );

/** Each container's ports, asked from another machine, the host, itself and another container, by TCP and UDP. */
function reachPorts(w: World, members: readonly Member[]): void {
  const questions = members.flatMap(({ container: { id }, number }, index): Question[] => {
    const answer = new RegExp(`^${id} `);
    const tcp = { port: 8000 + number, transport: "tcp", answer } as const;
    const next = members[index + 1]?.container.id ?? "";
    return [
      ...["192.0.2.1", "fd99::1"].map((address) => ({ ...tcp, from: "outside", address })),
      ...["", id, next].map((from) => ({ ...tcp, from, address: "192.0.2.1" })),
      { ...tcp, from: "", address: "127.0.0.1" },
      { ...tcp, port: 8100 + number, transport: "udp", from: "outside", address: "192.0.2.1" },
    ];
  });
  allAnswer(w, questions);
}

const portmap = (backend: string) => (number: number) => [
  bridge,
  {
    type: "portmap",
    backend,
    runtimeConfig: {
      portMappings: [
        { hostPort: 8000 + number, containerPort: 80, protocol: "tcp" },
        { hostPort: 8100 + number, containerPort: 81, protocol: "udp" },
      ],
    },
  },
];
const published = {
  prepare: (w: World) => void outside(w),
  start: (_: World, { container }: Member, t: Parameters<typeof answer>[0]) => answer(t, container, 80, 81),
  works: reachPorts,
};
testMixed({
  what: "portmap by iptables",
  ...published,
  chain: portmap("iptables"),
  // It looks for rules of IPv4 among those of IPv6.
  mistaken: (_, release) => (release === "1.1.1" ? /could not check ipv6 dnat/ : undefined),
});
testMixed({
  what: "portmap by nftables",
  ...published,
  releases: ["1.9.1"],
  chain: portmap("nftables"),
  mistaken: (maker) => (maker === "ours" ? /missing hostport rules in "hostports" chain/ : undefined),
  limits: [
    {
      why: "the reference knows rules for ports, and not the elements of our maps",
      leaves: /^element ip6? cni_hostport /,
    },
  ],
});

testMixed({
  what: "bandwidth",
  chain: () => [
    bridge,
    { type: "bandwidth", ingressRate: 8e8, ingressBurst: 8e8, egressRate: 8e8, egressBurst: 8e8 },
  ],
  works: reachGateway,
});

const UNKNOWN = ["without prevResult", GONE[1]] as const;
const RULES = /^rule ip6? filter CNI-FORWARD /;
const RECORDS = /^\/run\/cni\/firewall\//;
const either = (...all: RegExp[]) => new RegExp(all.map(({ source }) => source).join("|"));
const firewall = (more: Json): Omit<Subject, "what"> => ({
  prepare(w: World) {
    outside(w);
    // Nothing goes through the host but what the plugin lets through.
    for (const program of ["iptables", "ip6tables"]) w.must(program, "-P", "FORWARD", "DROP");
  },
  chain: () => [masqueraded, { type: "firewall", backend: "iptables", ...more }],
  works: (w: World, members: readonly Member[]) =>
    allPing(
      w,
      members.flatMap(({ container }) => ["192.0.2.2", "fd99::2"].map((to) => [container.id, to] as const)),
    ),
  limits: [
    {
      why: "without prevResult nobody knows the addresses of what the reference has added",
      by: "ours",
      ways: UNKNOWN,
      leaves: RULES,
    },
    {
      why: "nor does the reference, and it leaves our record of the addresses",
      ways: UNKNOWN,
      leaves: either(RULES, RECORDS, leavesMasquerade.leaves!),
    },
    {
      why: "the reference does not know our record, and leaves masquerading without the namespace",
      ways: [GONE[0]],
      leaves: either(RECORDS, leavesMasquerade.leaves!),
    },
    { why: "the reference does not know our record of the addresses", leaves: RECORDS },
  ],
});
testMixed({ what: "firewall by iptables", ...firewall({}) });
testMixed({
  what: "firewall by iptables with ingressPolicy same-bridge",
  ...firewall({ ingressPolicy: "same-bridge" }),
});

testMixed({
  what: "tuning",
  chain: (number) => [
    bridge,
    {
      type: "tuning",
      mac: `02:00:5e:00:53:${String(number).padStart(2, "0")}`,
      ...{ mtu: 1400, promisc: true, allmulti: true },
    },
  ],
  works: reachGateway,
  limits: [
    {
      why: "without the namespace the reference keeps the backup file",
      ways: GONE,
      leaves: /^\/run\/cni\/tuning\//,
    },
  ],
});

testMixed({
  what: "sbr",
  chain: () => [bridge, { type: "sbr" }],
  works: (w, members) =>
    allPing(
      w,
      members.flatMap(({ container, result }) => {
        const [v4, v6] = addressesOf(result);
        return [[container.id, "10.1.0.1", v4!] as const, [container.id, "fd01::1", v6!] as const];
      }),
    ),
  leftInside: rulesOf,
  limits: [
    {
      why: "the reference makes a file where the namespace was, takes it for one, and all of its plugins fail",
      ways: [GONE[0]],
      leaves: /^\/var\/lib\/cni\/networks\//,
      error: /unknown FS magic/,
    },
    {
      why: "without CNI_NETNS the reference's sbr fails",
      ways: [GONE[1]],
      error: /^sbr: no such file or directory$/,
    },
  ],
  // Its bridge looks for the routes where they were before.
  mistaken: () => /Failed to find Gateway/,
});

/** Rules of routing but those of the kernel itself. */
function rulesOf(container: Container): Json[] {
  return [...container.ip("-4", "rule", "show"), ...container.ip("-6", "rule", "show")].filter(
    ({ table }) => !/^(local|main|default)$/.test(table),
  );
}
