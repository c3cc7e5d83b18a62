import assert from "node:assert/strict";
import { described } from "./host-device.ts";
import { addressesOf, allPing, type Limit, type Member, testMixed } from "./mixed.ts";
import type { Json, World } from "./world.ts";

// Interfaces of containers, on a host where the reference's plugins and ours take turns.

const ipam = {
  type: "host-local",
  ranges: [[{ subnet: "10.1.0.0/24" }], [{ subnet: "fd01::/64" }]],
  routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }],
};
const GATEWAYS = ["10.1.0.1", "fd01::1"];

/** All reach the gateway by both families, and the next of them. */
function reachGateway(w: World, members: readonly Member[]): void {
  const pairs = members.flatMap(({ container }, index) => {
    const next = members[index + 1];
    return [...GATEWAYS, ...(next ? addressesOf(next.result) : [])].map((to) => [container.id, to] as const);
  });
  allPing(w, pairs);
}

const bridge = (more: Json) => ({ type: "bridge", bridge: "br0", isGateway: true, ipam, ...more });
const nftables = ["1.9.1"] as const;
const GONE = [
  "with prevResult, the namespace gone",
  "without prevResult and CNI_NETNS, the namespace gone",
] as const;
/** Of masquerading and macspoofchk. */
const GUARDS = /^(chain|rule) (ip6?|bridge) nat |^(chain|rule) inet cni_plugins_masquerade /;
const leavesGuards: Limit = {
  why: "without the namespace the reference does not know whose rules they are",
  ways: GONE,
  leaves: GUARDS,
};
const stumbles: Limit = {
  why: "the reference looks for rules of iptables too, and takes it amiss that there are none; all is gone nevertheless",
  ways: ["with prevResult", "without prevResult"],
  error: /Chain 'CNI-\w+' does not exist/,
};

testMixed({
  what: "bridge with ipMasq by iptables, macspoofchk and hairpinMode",
  chain: () => [bridge({ ipMasq: true, ipMasqBackend: "iptables", macspoofchk: true, hairpinMode: true })],
  limits: [leavesGuards],
  works: reachGateway,
});
testMixed({
  what: "bridge with ipMasq by nftables and promiscMode",
  releases: nftables,
  chain: () => [bridge({ ipMasq: true, ipMasqBackend: "nftables", promiscMode: true })],
  limits: [leavesGuards, stumbles],
  works: reachGateway,
});
for (const backend of ["iptables", "nftables"])
  testMixed({
    what: `ptp with ipMasq by ${backend}`,
    ...(backend === "nftables" && { releases: nftables }),
    chain: () => [{ type: "ptp", ipMasq: true, ipMasqBackend: backend, ipam }],
    limits: backend === "nftables" ? [leavesGuards, stumbles] : [leavesGuards],
    works: reachGateway,
  });

testMixed({
  what: "bridge on layer 2 with static",
  chain: (number) => [
    {
      type: "bridge",
      bridge: "br0",
      ipam: {
        type: "static",
        addresses: [{ address: `10.1.0.${number + 1}/24` }, { address: `fd01::${number + 1}/64` }],
      },
    },
  ],
  prepare: (w) => cable(w, "br0", "switch"),
  works: reachGateway,
});

/** A network card of the host, and what is at the other end of its cable, with the gateway's addresses. */
function cable(w: World, card: string, far: string): void {
  w.must("ip", "link", "add", card, "address", "02:00:5e:00:53:00", "type", "bridge");
  w.must("ip", "link", "set", card, "up");
  w.must("ip", "link", "add", far, "type", "veth", "peer", "name", `${far}-port`);
  w.must("ip", "link", "set", `${far}-port`, "master", card, "up");
  for (const address of ["10.1.0.1/24", "fd01::1/64"]) w.must("ip", "address", "add", address, "dev", far);
  w.must("ip", "link", "set", far, "up");
}

testMixed({
  what: "macvlan",
  prepare: (w) => cable(w, "m0", "switch"),
  chain: () => [{ type: "macvlan", master: "m0", ipam }],
  works: reachGateway,
});

testMixed({
  what: "host-device",
  prepare: (w) => cable(w, "cards", "switch"),
  device: {
    plug(w, number) {
      w.must("ip", "link", "add", `dev${number}`, "type", "veth", "peer", "name", `wire${number}`);
      w.must("ip", "link", "set", `wire${number}`, "master", "cards", "up");
      w.must("ip", "link", "set", `dev${number}`, "mtu", "1400");
    },
    unplug(w, number, gone) {
      // A virtual one goes with its namespace.
      assert.equal(described(w, `dev${number}`)?.mtu, gone ? undefined : 1400);
      if (!gone) w.must("ip", "link", "delete", `dev${number}`);
    },
  },
  chain: (number) => [{ type: "host-device", device: `dev${number}`, ipam }],
  limits: [
    {
      why: "the reference fails at the path of a namespace that is no more, and keeps the addresses",
      ways: [GONE[0]],
      leaves: /^\/(run|var\/lib)\/cni\//,
      error: /failed to open netns/,
    },
    {
      why: "without CNI_NETNS the reference does nothing",
      ways: [GONE[1]],
      leaves: /^\/(run|var\/lib)\/cni\//,
    },
    { why: "the reference does not know our record of the device", leaves: /^\/run\/cni\/host-device\// },
  ],
  works: reachGateway,
});

testMixed({
  what: "loopback",
  ifName: "lo",
  chain: () => [{ type: "loopback" }],
  works: (w, members) =>
    allPing(
      w,
      members.flatMap(({ container }) => ["127.0.0.1", "::1"].map((to) => [container.id, to] as const)),
    ),
  leftInside: (container) => container.link("lo").flags.filter((flag: string) => flag === "UP"),
});

/** A program that attaches to eth0, and ends when it has got the container's ARP request for 10.1.0.99. */
const READER = `use Fcntl; alarm 20; sysopen(my $tap, "/dev/net/tun", O_RDWR) or die;
  my $request = pack("a16 S x22", "eth0", 0x1002); ioctl($tap, 0x400454ca, $request) or die;
  my $ping = fork; exec "ping", "-q", "-c", "9", "10.1.0.99" if !$ping;
  while (sysread($tap, my $frame, 2048)) { last if substr($frame, 12, 2) eq "\\x08\\x06" && substr($frame, 38, 4) eq "\\x0a\\x01\\x00\\x63" }
  kill "KILL", $ping; waitpid $ping, 0`;
testMixed({
  what: "tap",
  chain: () => [{ type: "tap", ipam }],
  works(_, members) {
    for (const { container } of members) container.must("perl", "-e", READER);
  },
});
