import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { plumb } from "../programs.ts";
import { answer, ask, outside } from "./answering.ts";
import { type Container, type Json, type Outcome, World } from "./world.ts";

// A chain as an operator writes it, with all that a container may want: an interface, ports, limits, a firewall, settings.

/** A network whose chain is whole; `number` keeps it apart from others. */
function chainOf(number: number, backends: Json): Json[] {
  const bandwidth = { ingressRate: 8e7, ingressBurst: 8e6, egressRate: 16e7, egressBurst: 16e6 };
  const ipam = {
    type: "host-local",
    ranges: [[{ subnet: `10.${number}.0.0/24` }], [{ subnet: `fd0${number}::/64` }]],
    routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }],
  };
  return [
    { type: "bridge", bridge: `br${number}`, isGateway: true, ipMasq: true, ...backends.bridge, ipam },
    { type: "portmap", capabilities: { portMappings: true }, ...backends.portmap },
    { type: "bandwidth", ...bandwidth },
    { type: "firewall", ...backends.firewall },
    { type: "tuning", mtu: 1400, sysctl: { "net.ipv4.conf.IFNAME.arp_filter": "1" } },
  ];
}

/** A world with networks net1, net2, …, and the command in it. */
class Machine {
  readonly world: World;
  readonly #folder: string;

  private constructor(world: World) {
    this.world = world;
    this.#folder = join(world.bin, "net.d");
    mkdirSync(this.#folder);
  }

  static async start(t: TestContext, networks: readonly number[], backends: Json = {}): Promise<Machine> {
    const machine = new Machine(await World.start(t));
    for (const number of networks) machine.describe(number, chainOf(number, backends));
    return machine;
  }

  describe(number: number, plugins: readonly Json[]): void {
    const list = { cniVersion: "1.1.0", name: `net${number}`, plugins };
    writeFileSync(join(this.#folder, `${number}.conflist`), JSON.stringify(list));
  }

  /** What the command does. `port` of the host is to lead to the container's port 80. */
  run(args: readonly string[], port?: number): Outcome {
    const portMappings = [{ hostPort: port, containerPort: 80, protocol: "tcp" }];
    const env = {
      NETCONFPATH: this.#folder,
      CNI_PATH: this.world.bin,
      ...(port && { CAP_ARGS: JSON.stringify({ portMappings }) }),
    };
    return this.world.exec([plumb, ...args], { env });
  }

  /** What must succeed. */
  must(args: readonly string[], port?: number): string {
    const { code, stdout, stderr } = this.run(args, port);
    assert.equal(code, 0, `plumb ${args.join(" ")}: ${stdout}${stderr}`);
    return stdout;
  }

  add(network: number, { netns }: Container, ifName: string, port: number): Json {
    return JSON.parse(this.must(["add", `net${network}`, netns, "--ifname", ifName, "--json"], port));
  }

  check(network: number, { netns }: Container, ifName: string): void {
    this.must(["check", `net${network}`, netns, "--ifname", ifName]);
  }

  del(network: number, { netns }: Container, ifName: string): void {
    this.must(["del", `net${network}`, netns, "--ifname", ifName]);
  }

  /** Adds and deletes once: what plugins make for good is there then. */
  settle(networks: readonly number[]): Json {
    const c0 = this.world.container("c0");
    for (const network of networks) {
      this.add(network, c0, "eth0", 8000);
      this.del(network, c0, "eth0");
    }
    c0.vanish();
    return this.world.state();
  }
}

/** Kinds of the interfaces of a result: the bridge, both ends, the IFB. */
function kindsOf(w: World, { interfaces }: Json): string[] {
  return interfaces.map(({ name, sandbox }: Json) => (sandbox ? name : w.link(name).linkinfo.info_kind));
}

/** Files that plugins and the command keep for attachments. */
function kept(w: World): string {
  return w.exec(["find", "/run/cni", "/var/lib/cni/results", "-type", "f"]).stdout;
}

for (const [what, backends] of [
  ["nftables", {}],
  [
    "iptables",
    {
      bridge: { ipMasqBackend: "iptables" },
      portmap: { backend: "iptables" },
      firewall: { backend: "iptables" },
    },
  ],
] as const)
  test(`bridge, portmap, bandwidth, firewall and tuning in one chain: ${what}`, async (t) => {
    const machine = await Machine.start(t, [1], backends);
    const w = machine.world;
    const far = outside(w);
    const before = machine.settle([1]);
    const c1 = w.container();
    const result = machine.add(1, c1, "eth0", 8080);
    assert.deepEqual(kindsOf(w, result), ["bridge", "veth", "eth0", "ifb"]);
    assert.equal(result.ips.length, 2);
    assert.equal(c1.link().mtu, 1400);
    assert.equal(c1.must("cat", "/proc/sys/net/ipv4/conf/eth0/arp_filter").trim(), "1");
    assert.equal(w.must("tc", "qdisc", "show").match(/^qdisc tbf/gm)?.length, 2);
    machine.check(1, c1, "eth0");

    await answer(t, c1, 80);
    for (const [from, address, seen] of [
      [far, "192.0.2.1", "192.0.2.2"],
      [far, "fd99::1", "fd99::2"],
      [w, "127.0.0.1", "10.1.0.1"],
    ] as const)
      assert.equal(ask(from, address, 8080), `c1 ${seen}`);
    // Masqueraded, or no answer would find its way.
    assert.ok(c1.pings("192.0.2.2"));

    for (const _ of [1, 2]) machine.del(1, c1, "eth0");
    assert.equal(c1.link(), undefined);
    assert.deepEqual([w.state(), kept(w)], [before, ""]);
  });

test("a container on two such networks loses one of them, and then the other", async (t) => {
  const machine = await Machine.start(t, [1, 2]);
  const w = machine.world;
  const far = outside(w);
  const before = machine.settle([1, 2]);
  const c1 = w.container();
  machine.add(1, c1, "eth0", 8080);
  const result = machine.add(2, c1, "eth1", 8081);
  assert.deepEqual(kindsOf(w, result), ["bridge", "veth", "eth1", "ifb"]);
  machine.check(1, c1, "eth0");
  machine.check(2, c1, "eth1");
  await answer(t, c1, 80);
  machine.del(2, c1, "eth1");
  machine.check(1, c1, "eth0");
  assert.deepEqual([c1.link("eth1"), ask(far, "192.0.2.1", 8081, "tcp", 1)], [undefined, ""]);
  assert.equal(ask(far, "192.0.2.1", 8080), "c1 192.0.2.2");
  machine.del(1, c1, "eth0");
  assert.deepEqual([w.state(), kept(w)], [before, ""]);
});

test("a chain whose last plugin fails leaves nothing of the others", async (t) => {
  const machine = await Machine.start(t, [1]);
  const w = machine.world;
  const before = machine.settle([1]);
  const c1 = w.container();
  const chain = chainOf(1, {});
  machine.describe(1, [...chain.slice(0, -1), { type: "tuning", sysctl: { "net.ipv4.none": "1" } }]);
  const { code, stderr } = machine.run(["add", "net1", c1.netns], 8080);
  assert.equal(code, 1);
  assert.match(stderr, /net[./]ipv4[./]none/);
  assert.equal(c1.link(), undefined);
  assert.deepEqual([w.state(), kept(w)], [before, ""]);
});

test("plumb gc removes what a vanished container had of every plugin, and that alone", async (t) => {
  const machine = await Machine.start(t, [1, 2]);
  const w = machine.world;
  const far = outside(w);
  const before = machine.settle([1, 2]);
  const [stays, goes] = [w.container("c1"), w.container("c2")];
  machine.add(1, stays, "eth0", 8080);
  const alone = w.state();
  machine.add(1, goes, "eth0", 8081);
  goes.vanish();
  machine.must(["gc", "net1"]);
  assert.deepEqual(w.state(), alone);
  machine.check(1, stays, "eth0");
  await answer(t, stays, 80);
  assert.equal(ask(far, "192.0.2.1", 8080), "c1 192.0.2.2");
  // Without the cache, what the plugins remember is all there is.
  w.must("rm", "-r", "/var/lib/cni/results");
  machine.must(["gc", "net2", "--all"]);
  assert.deepEqual(w.state(), alone);
  machine.must(["gc", "net1", "--all"]);
  assert.equal(stays.link(), undefined);
  assert.deepEqual(w.state(), before);
});
