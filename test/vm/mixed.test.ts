import { addressesOf, allPing, type Member, testMixed } from "../e2e/mixed.ts";
import type { Json, World } from "../e2e/world.ts";

/** What needs a kernel with ipvlan, vlan, vrf, dummy and VLAN filtering, where the reference's plugins and ours take turns. */

const ipam = {
  type: "host-local",
  ranges: [[{ subnet: "10.1.0.0/24" }], [{ subnet: "fd01::/64" }]],
  routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }],
};
const ways = ["with prevResult", "without prevResult and CNI_NETNS, the namespace gone"] as const;

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

testMixed({
  what: "ipvlan",
  ways,
  prepare: cable,
  chain: () => [{ type: "ipvlan", master: "m0", ipam }],
  works: reachGateway,
});

testMixed({
  what: "vlan",
  ways,
  prepare: cable,
  // A VLAN for each, whose other end is on the switch.
  device: {
    plug(w, number) {
      const tagged = `tagged${number}`;
      w.must("ip", "link", "add", "link", "switch", "name", tagged, "type", "vlan", "id", `${number}`);
      for (const address of [`10.1.0.${100 + number}/32`, `fd01::1:${number}/128`])
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

testMixed({
  what: "dummy",
  releases: ["1.9.1"],
  ways,
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
testMixed({
  what: "vrf",
  ways,
  chain: () => [bridge, { type: "vrf", vrfname: "blue" }],
  works: (w, members) =>
    allPing(
      w,
      members.flatMap(({ container }) =>
        ["10.1.0.1", "fd01::1"].map((to) => [container.id, to, "eth0"] as const),
      ),
    ),
  leftInside: (container) => container.ip("link", "show", "type", "vrf"),
});

const tagged: Json = { ...bridge, vlan: 100, preserveDefaultVlan: false };
testMixed({
  what: "bridge with a VLAN that has a gateway",
  ways,
  releases: ["1.9.1"],
  chain: () => [tagged],
  works: reachGateway,
});
