import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { attach, bridge, detach, entries } from "./firewall-network.ts";
import { type Container, type Json, World } from "./world.ts";

// ingressPolicy, by who reaches whom: containers on two bridges, and a machine beyond the host.

type Policy = "open" | "same-bridge" | "isolated";

const firewall = (backend: string, ingressPolicy?: Policy): Json => ({
  type: "firewall",
  backend,
  ...(ingressPolicy && { ingressPolicy }),
});

/** Addresses of containers in their order on a bridge, of each family. */
const address = (index: number, nth: number) =>
  [`10.${index}.0.${nth + 1}`, `fd0${index}::${nth + 1}`] as const;

/** Two containers on the bridge br1, one on br2; their networks' policies. */
async function threeContainers(t: TestContext, backend: string, first: Policy, second: Policy) {
  const w = await World.start(t);
  const chains = [
    [
      { ...bridge(1), name: "one" },
      { ...firewall(backend, first), name: "one" },
    ],
    [
      { ...bridge(2), name: "two" },
      { ...firewall(backend, second), name: "two" },
    ],
  ];
  const containers = ["a1", "a2", "b1"].map((id) => w.container(id));
  const results = containers.map((container, index) => attach(w, chains[index >> 1]!, container));
  return { w, chains, containers: containers as [Container, Container, Container], results };
}

type Way = readonly [from: Container, to: readonly [string, string], expected: boolean];

/** Who reaches whom, both families alike; all at once, since what does not come is waited for. */
function verify(w: World, ways: readonly Way[], where = ""): void {
  const pings = ways.flatMap(([from, addresses, expected]) =>
    addresses.map((to) => ({ from: from.id, to, seconds: expected ? 5 : 1 })),
  );
  const lines = pings.map(
    ({ from, to, seconds }, index) =>
      `{ ip netns exec ${from} ping -c 1 -W ${seconds} ${to} >/dev/null && echo ${index}; } &`,
  );
  const reached = new Set(
    w
      .exec(["sh", "-c", `${lines.join("\n")}\nwait`])
      .stdout.trim()
      .split("\n"),
  );
  const described = (isReached: (index: number) => boolean) =>
    pings.map(({ from, to }, index) => `${from} ${isReached(index) ? "reaches" : "does not reach"} ${to}`);
  assert.deepEqual(
    described((index) => reached.has(`${index}`)),
    described((index) => ways[index >> 1]![2]),
    where,
  );
}

/** The two policies; whether a1 reaches a2 on its bridge, b1 on the other one, and b1 reaches a1. */
const policies: [first: Policy, second: Policy, within: boolean, out: boolean, into: boolean][] = [
  ["open", "open", true, true, true],
  ["same-bridge", "same-bridge", true, false, false],
  ["isolated", "isolated", false, false, false],
  ["same-bridge", "isolated", true, false, false],
  ["isolated", "same-bridge", false, false, false],
  // A bridge whose network is open shuts nobody out, and is not shut out.
  ["same-bridge", "open", true, true, true],
  ["isolated", "open", false, true, true],
];

for (const backend of ["nftables", "iptables"])
  test(`${backend}: who reaches whom under each ingressPolicy`, async (t) => {
    for (const [first, second, within, out, into] of policies) {
      const { w, chains, containers, results } = await threeContainers(t, backend, first, second);
      const [a1, , b1] = containers;
      verify(
        w,
        [
          [a1, address(1, 2), within],
          [a1, address(2, 1), out],
          [b1, address(1, 1), into],
          // The gateway.
          [a1, address(1, 0), true],
        ],
        `${first}, ${second}`,
      );
      for (const [index, container] of containers.entries())
        w.check(chains[index >> 1]![1], container, results[index]);
    }
  });

for (const backend of ["nftables", "iptables"])
  test(`${backend}: three bridges, each with another ingressPolicy`, async (t) => {
    const w = await World.start(t);
    const chains = (["same-bridge", "isolated", "open"] as const).map((policy, index) => [
      { ...bridge(index + 1), name: `net${index}` },
      { ...firewall(backend, policy), name: `net${index}` },
    ]);
    const [a, b, c] = chains.map((chain, index) => {
      const container = w.container(`c${index}`);
      attach(w, chain, container);
      return container;
    }) as [Container, Container, Container];
    const ways = (together: boolean): Way[] => [
      [a, address(2, 1), together],
      [b, address(1, 1), together],
      [a, address(3, 1), true],
      [c, address(1, 1), true],
      [b, address(3, 1), true],
      [c, address(2, 1), true],
    ];
    verify(w, ways(false));
    // Whose network has no policy any more shuts nobody out. iptables keeps rules about bridges, as in the reference.
    detach(w, [chains[1]![1]], b);
    if (backend === "nftables") verify(w, ways(true), "without the isolated one's");
  });

for (const backend of ["nftables", "iptables"])
  test(`${backend}: what is routed by a bridge's interface for a VLAN`, async (t) => {
    const w = await World.start(t);
    // Both are bridges here: to the firewall, only names matter.
    const [a, b] = ["br1.100", "br2.200"].map((name, index) => {
      const container = w.container(`c${index}`);
      const plugged = w.add({ ...bridge(index + 1, name), name: `net${index}` }, container);
      const [first, ...others] = plugged.interfaces;
      const interfaces = [{ name: name.slice(0, 3) }, ...others, first];
      const prevResult = { ...plugged, interfaces };
      const config = { ...firewall(backend, "isolated"), name: `net${index}` };
      w.add(config, container, { prevResult });
      w.check(config, container, prevResult);
      return { container, config };
    });
    const ways = (together: boolean): Way[] => [
      [a!.container, address(2, 1), together],
      [b!.container, address(1, 1), together],
    ];
    verify(w, ways(false));
    if (backend === "iptables") return;
    assert.equal(entries(w).filter((line) => /^port isolated veth/.test(line)).length, 2);
    for (const { container, config } of [a!, b!]) w.del(config, container);
    verify(w, ways(true));
    assert.deepEqual(entries(w), []);
  });

test("nftables: isolated holds for frames that only pass through the bridge", async (t) => {
  const w = await World.start(t);
  for (const name of ["iptables", "ip6tables"])
    w.exec(["sysctl", "-q", `net.bridge.bridge-nf-call-${name}=0`]);
  const chain = [bridge(), firewall("nftables", "isolated")];
  const [c1, c2, c3] = ["c1", "c2", "c3"].map((id) => w.container(id)) as [Container, Container, Container];
  const result = attach(w, chain, c1);
  attach(w, chain, c2);
  // No firewall for this one: it is on the same bridge all the same.
  attach(w, [bridge()], c3);
  verify(w, [
    [c1, address(1, 2), false],
    [c3, address(1, 1), false],
    [c1, address(1, 0), true],
  ]);
  detach(w, chain, c1, { prevResult: result });
  const again = attach(w, [bridge()], c1);
  assert.equal(c3.pings(again.ips[0].address.split("/")[0]), true);
});

test("nftables: the last container of a bridge takes its entries along", async (t) => {
  const w = await World.start(t);
  const chain = (policy: Policy) => [bridge(), firewall("nftables", policy)];
  const containers = ["c1", "c2", "c3"].map((id) => w.container(id));
  const kinds = ["same-bridge", "isolated", "isolated"] as const;
  const results = containers.map((container, index) => attach(w, chain(kinds[index]!), container));
  const ofBridge = () => entries(w).filter((line) => /br1/.test(line));
  const sameBridge = ["bridges br1", "chain bridge-br1", "within br1 . br1"];
  const isolated = [
    "bridges br1",
    "chain bridge-br1",
    "chain isolated-br1",
    "isolated br1",
    "within br1 . br1",
  ];
  assert.deepEqual(ofBridge(), isolated);
  const leave = (index: number) =>
    w.del(chain(kinds[index]!)[1], containers[index]!, { prevResult: results[index] });
  leave(2);
  assert.deepEqual(ofBridge(), isolated);
  leave(1);
  assert.deepEqual(ofBridge(), sameBridge);
  assert.equal(
    entries(w).some((line) => line.startsWith("port")),
    false,
  );
  leave(0);
  assert.deepEqual(entries(w), []);
});

test("what comes from beyond the host is let in, and what the administrator accepts first", async (t) => {
  const { w, containers } = await threeContainers(t, "nftables", "isolated", "same-bridge");
  const [a1, , b1] = containers;
  const machine = w.container("outside");
  w.must(..."ip link add up0 type veth peer name eth0 netns outside".split(" "));
  w.must("ip", "address", "add", "192.0.2.1/24", "dev", "up0");
  w.must("ip", "link", "set", "up0", "up");
  machine.must("ip", "address", "add", "192.0.2.2/24", "dev", "eth0");
  machine.must("ip", "link", "set", "eth0", "up");
  machine.must("ip", "route", "add", "default", "via", "192.0.2.1");
  assert.equal(machine.pings("10.1.0.2"), true);
  assert.equal(b1.pings("10.1.0.2", 1), false);
  w.must(..."nft add rule inet cni_plugins_firewall CNI-ADMIN ip protocol icmp accept".split(" "));
  assert.equal(b1.pings("10.1.0.2"), true);
  assert.equal(a1.pings("10.2.0.2"), true);
});
