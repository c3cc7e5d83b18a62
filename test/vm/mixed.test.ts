import { addressesOf, allPing, type Member, RELEASES, type Subject, testMixed } from "../e2e/mixed.ts";
import type { Json, World } from "../e2e/world.ts";

/** What needs a kernel with ipvlan, vlan, vrf, dummy and VLAN filtering, where the reference's plugins and ours take turns. */

const ipam = {
  type: "host-local",
  ranges: [[{ subnet: "10.1.0.0/24" }], [{ subnet: "fd01::/64" }]],
  routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }],
};
/** Emulation is slow: not all of them with all. */
const WAYS = {
  "1.1.1": ["with prevResult"],
  "1.9.1": ["without prevResult and CNI_NETNS, the namespace gone"],
} as const;

function testInMachine(subject: Subject): void {
  for (const release of subject.releases ?? RELEASES)
    testMixed({ ...subject, releases: [release], ways: WAYS[release] });
}

/** Each reaches the gateway by both families. */
const reachGateway = (w: World, members: readonly Member[]) =>
  allPing(
    w,
    members.flatMap(({ container }) => ["10.1.0.1", "fd01::1"].map((to) => [container.id, to] as const)),
  );

/** A network card of the host, m0, and what is at the other end of its cable, with the gateway's addresses. */
function cable(w: World): void {
  w.must(..."ip link add m0 type veth peer name switch".split(" "));
  for (const end of ["m0", "switch"]) w.must("ip", "link", "set", end, "up");
  for (const address of ["10.1.0.1/24", "fd01::1/64"])
    w.must("ip", "address", "add", address, "dev", "switch");
}

testInMachine({
  what: "ipvlan",
  prepare: cable,
  chain: () => [{ type: "ipvlan", master: "m0", ipam }],
  works: reachGateway,
});

testInMachine({
  what: "vlan",
  prepare: cable,
  // A VLAN for each, whose other end is on the switch.
  device: {
    plug(w, number) {
      const tagged = `tagged${number}`;
      w.must("ip", "link", "add", "link", "switch", "name", tagged, "type", "vlan", "id", `${number}`);
      for (const address of [`10.1.0.${100 + number}/24`, `fd01::1:${number}/64`])
        w.must("ip", "address", "add", address, "dev", tagged);
      w.must("ip", "link", "set", tagged, "up");
    },
    unplug: (w, number) => void w.must("ip", "link", "delete", `tagged${number}`),
  },
  chain: (number) => [{ type: "vlan", master: "m0", vlanId: number, ipam }],
  works(w, members) {
    for (const { result, number } of members)
      for (const to of addressesOf(result))
        w.must("ping", "-q", "-c", "1", "-W", "20", "-I", `tagged${number}`, to);
  },
});

testInMachine({
  what: "dummy",
  releases: ["1.9.1"],
  chain: () => [{ type: "dummy", ipam }],
  works: ownAddress,
});

/** An interface that leads nowhere: who lives there reaches itself. */
function ownAddress(w: World, members: readonly Member[]): void {
  for (const { container, result } of members) {
    container.must("ip", "link", "set", "lo", "up");
    allPing(
      w,
      addressesOf(result).map((to) => [container.id, to] as const),
    );
  }
}

const bridge = { type: "bridge", bridge: "br0", isGateway: true, ipam };
testInMachine({
  what: "vrf",
  // Other routes 1.1.1 loses, and our CHECK says so.
  chain: () => [
    { ...bridge, ipam: { ...ipam, routes: [] } },
    { type: "vrf", vrfname: "blue" },
  ],
  works: (w, members) =>
    allPing(
      w,
      members.flatMap(({ container }) =>
        ["10.1.0.1", "fd01::1"].map((to) => [container.id, to, "eth0"] as const),
      ),
    ),
  leftInside: (container) => container.ip("link", "show", "type", "vrf"),
  // Its bridge looks for the routes where they were before.
  mistaken: () => /Failed to find Gateway|^$/,
});

const tagged: Json = { ...bridge, vlan: 100, preserveDefaultVlan: false };
testInMachine({
  what: "bridge with a VLAN that has a gateway",
  releases: ["1.9.1"],
  chain: () => [tagged],
  works: reachGateway,
  // The bridge that it makes for VLANs takes the lowest address of its ports, as they come and go.
  mistaken: () => /Bridge interface br0 Mac doesn't match|^$/,
});
