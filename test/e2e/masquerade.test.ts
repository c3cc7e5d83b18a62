import assert from "node:assert/strict";
import { test } from "node:test";
import { type Container, type Json, World } from "./world.ts";

// ipMasq of bridge and ptp, as a machine beyond the host sees it: by whose address the packets come.

const ipam = {
  type: "host-local",
  ranges: [[{ subnet: "10.1.0.0/24" }], [{ subnet: "fd01::/64" }]],
  routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }],
};
const bridge = { type: "bridge", bridge: "br0", isGateway: true, ipam };
const ptp = { type: "ptp", ipam };

/** Another machine on a network of the host, which knows the way back to containers, and notes who sends to it. */
class Outside {
  readonly #machine: Container;

  constructor(world: World) {
    const machine = world.container("outside");
    // Else neighbours are found only after the detection of duplicates, a second later.
    for (const where of [world, machine]) where.must("sysctl", "-q", "net.ipv6.conf.default.accept_dad=0");
    world.must(..."ip link add up0 type veth peer name eth0 netns outside".split(" "));
    for (const [address, peer] of [
      ["192.0.2.1/24", "192.0.2.2/24"],
      ["fd99::1/64", "fd99::2/64"],
    ] as const) {
      world.must("ip", "address", "add", address, "dev", "up0", ...(peer.includes(":") ? ["nodad"] : []));
      machine.must("ip", "address", "add", peer, "dev", "eth0", ...(peer.includes(":") ? ["nodad"] : []));
    }
    world.must("ip", "link", "set", "up0", "up");
    machine.must("ip", "link", "set", "eth0", "up");
    machine.must("ip", "route", "add", "default", "via", "192.0.2.1");
    machine.must("ip", "-6", "route", "add", "default", "via", "fd99::1");
    const rules = `table inet seen {
      set from4 { type ipv4_addr; size 99; flags dynamic; }
      set from6 { type ipv6_addr; size 99; flags dynamic; }
      chain input {
        type filter hook input priority 0
        icmp type echo-request add @from4 { ip saddr }
        icmpv6 type echo-request add @from6 { ip6 saddr }
      }
    }`;
    world.exec(["ip", "netns", "exec", "outside", "nft", "-f", "-"], { input: rules });
    this.#machine = machine;
  }

  /** The addresses from which pings came since the last call. */
  seen(): string[] {
    return ["from4", "from6"].flatMap((set) => {
      const { nftables } = JSON.parse(this.#machine.must("nft", "-j", "list", "set", "inet", "seen", set));
      this.#machine.must("nft", "flush", "set", "inet", "seen", set);
      return nftables.flatMap((each: Json) => each.set?.elem ?? []);
    });
  }
}

for (const [config, backend] of [bridge, ptp].flatMap((config) =>
  [undefined, "", "nftables", "iptables"].map((backend) => [config, backend] as const),
))
  test(`${config.type}: ipMasq, ipMasqBackend ${JSON.stringify(backend)}`, async (t) => {
    const w = await World.start(t);
    const outside = new Outside(w);
    const [c1, c2] = [w.container("c1"), w.container("c2")];
    const masked = { ...config, ipMasq: true, ...(backend !== undefined && { ipMasqBackend: backend }) };
    const result = w.add(masked, c1);
    w.add(config, c2);
    for (const address of ["192.0.2.2", "fd99::2"]) assert.equal(c1.pings(address), true, address);
    assert.deepEqual(outside.seen(), ["192.0.2.1", "fd99::1"]);
    for (const address of ["192.0.2.2", "fd99::2"]) assert.equal(c2.pings(address), true, address);
    assert.deepEqual(outside.seen(), ["10.1.0.3", "fd01::3"]);
    // Within the network everybody is known by his own address.
    c2.must("nft", "add table inet seen; add chain inet seen in { type filter hook input priority 0; }");
    c2.must(
      "nft",
      "add rule inet seen in ip saddr 10.1.0.2 counter; add rule inet seen in ip6 saddr fd01::2 counter",
    );
    for (const address of ["10.1.0.3", "fd01::3"]) assert.equal(c1.pings(address), true, address);
    const counters = [...c2.must("nft", "list", "ruleset").matchAll(/counter packets (\d+)/g)];
    assert.ok(counters.length === 2 && counters.every(([, packets]) => Number(packets) > 0));

    const iptables = backend === "iptables";
    assert.equal(w.masqueraded().length, iptables ? 0 : 2);
    assert.equal(w.iptables().length, iptables ? 4 : 0);
    assert.equal(w.iptables("ip6tables-save").length, iptables ? 4 : 0);
    w.check(masked, c1, result);
    w.del(masked, c1, { prevResult: result });
    assert.deepEqual([w.masqueraded(), w.iptables(), w.iptables("ip6tables-save")], [[], [], []]);
  });

test("what is written down: the names that other programs know", async (t) => {
  const w = await World.start(t);
  const id = "0123456789abcdef".repeat(4);
  const c1 = w.container(id);
  w.add({ ...ptp, name: "office", ipMasq: true }, c1);
  w.add({ ...bridge, name: "home", ipMasq: true, ipMasqBackend: "iptables" }, c1, { ifName: "eth1" });
  // SHA-512 of "office", of "eth0:<id>", and of "home<id>", as `sha512sum` prints them.
  const sha512 = (text: string) => w.must("sh", "-c", `printf %s '${text}' | sha512sum`).split(" ")[0]!;
  const comment = `${sha512("office").slice(0, 16)}-${sha512(`eth0:${id}`).slice(0, 16)}, net: office, if: eth0, id: ${id}`;
  const kept = w.masqueraded();
  assert.equal(kept.length, 2);
  for (const each of kept) assert.equal(each, comment.slice(0, each.length));
  assert.ok(kept[0]!.length >= 100);
  const chain = `CNI-${sha512(`home${id}`)}`.slice(0, 28);
  const named = `-m comment --comment "name: \\"home\\" id: \\"${id}\\""`;
  assert.deepEqual(w.iptables(), [
    `:${chain} - [0:0]`,
    `-A POSTROUTING -s 10.1.0.2/32 ${named} -j ${chain}`,
    `-A ${chain} -d 10.1.0.0/24 ${named} -j ACCEPT`,
    `-A ${chain} ! -d 224.0.0.0/4 ${named} -j MASQUERADE`,
  ]);
});

test("CHECK without a named backend is content with iptables", async (t) => {
  for (const config of [bridge, ptp]) {
    const w = await World.start(t);
    const c1 = w.container();
    const result = w.add({ ...config, ipMasq: true, ipMasqBackend: "iptables" }, c1);
    const unsaid = { ...config, ipMasq: true };
    w.check(unsaid, c1, result);
    assert.match(
      w.refused("CHECK", { ...unsaid, ipMasqBackend: "nftables" }, c1, { prevResult: result }).msg,
      /is not masqueraded/,
    );
    w.must("iptables", "-t", "nat", "-F", "POSTROUTING");
    assert.match(w.refused("CHECK", unsaid, c1, { prevResult: result }).msg, /is not masqueraded/);
  }
});

for (const config of [bridge, ptp])
  test(`${config.type}: interfaces of one container on one network do not take each other's rules`, async (t) => {
    for (const ipMasqBackend of ["nftables", "iptables"]) {
      const w = await World.start(t);
      const c1 = w.container();
      const masked = { ...config, ipMasq: true, ipMasqBackend };
      const first = w.add(masked, c1);
      const second = w.add(masked, c1, { ifName: "eth1" });
      w.del(masked, c1, { prevResult: first });
      w.check(masked, c1, second, { ifName: "eth1" });
      w.del(masked, c1, { ifName: "eth1", prevResult: second });
      assert.deepEqual([w.masqueraded(), w.iptables(), w.iptables("ip6tables-save")], [[], [], []]);
    }
  });

test("the container's rules go without prevResult, namespace or program too, whichever backend made them", async (t) => {
  const w = await World.start(t);
  for (const backend of ["nftables", "iptables"])
    for (const settings of [
      {},
      { netns: "" },
      { env: { PATH: "/nowhere" } },
      { prevResult: {} },
      { prevResult: { ips: [] } },
    ]) {
      const c1 = w.container();
      w.add({ ...ptp, ipMasq: true, ipMasqBackend: backend }, c1);
      w.del({ ...ptp, ipMasq: true }, c1, settings);
      const where = `${backend} ${JSON.stringify(settings)}`;
      assert.deepEqual([w.masqueraded(), w.iptables(), w.iptables("ip6tables-save")], [[], [], []], where);
      c1.vanish();
    }
});
