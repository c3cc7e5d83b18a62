import assert from "node:assert/strict";
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { plumb } from "../programs.ts";
import { root } from "../root.ts";
import { answer, ask, outside } from "./answering.ts";
import {
  beside,
  folderOf,
  linesOfState,
  NEWEST,
  container as newContainer,
  otherOf,
  RELEASES,
  type Release,
  SIDES,
  type Side,
  without,
} from "./mixed.ts";
import { connection, echo, pings } from "./traffic.ts";
import { type Container, type Json, type Verb, World } from "./world.ts";

// A host in service, whose plugins are replaced: the reference's by ours, and ours by the reference's.

const PLUGINS = ["bridge", "host-local", "portmap", "firewall", "tuning", "bandwidth"] as const;

/** A directory of plugins, in which files are replaced as docs/upgrade.md says. */
class PluginFolder {
  readonly path = mkdtempSync(join(tmpdir(), "plugins-"));
  readonly #release: Release;

  constructor(t: TestContext, release: Release) {
    this.#release = release;
    t.after(() => rmSync(this.path, { recursive: true }));
  }

  /** A name leads to the new file or the old one, and never to none. */
  install(side: Side, names: readonly string[] = PLUGINS): void {
    for (const name of names) {
      const made = join(this.path, `.${name}.new`);
      if (side === "ours") symlinkSync(plumb, made);
      else copyFileSync(join(folderOf(this.#release)!, name), made);
      renameSync(made, join(this.path, name));
    }
  }
}

/** Chains as containerd and podman have them. */
const ipam = {
  type: "host-local",
  ranges: [[{ subnet: "10.1.0.0/24" }], [{ subnet: "fd01::/64" }]],
  routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }],
};
type Backends = Readonly<Record<"ipMasqBackend" | "portmap" | "firewall", string | undefined>>;
const IPTABLES: Backends = { ipMasqBackend: "iptables", portmap: "iptables", firewall: "iptables" };
/** As it is when a configuration says nothing: each takes what it likes best. */
const UNSAID: Backends = { ipMasqBackend: undefined, portmap: undefined, firewall: "" };

function chainOf(number: number, { ipMasqBackend, portmap, firewall }: Backends): Json[] {
  const portMappings = [{ hostPort: 8000 + number, containerPort: 80, protocol: "tcp" }];
  return [
    { type: "bridge", bridge: "br0", isGateway: true, ipMasq: true, ipMasqBackend, hairpinMode: true, ipam },
    {
      type: "portmap",
      backend: portmap,
      capabilities: { portMappings: true },
      runtimeConfig: { portMappings },
    },
    { type: "firewall", backend: firewall },
    { type: "tuning", mtu: 1400 },
    { type: "bandwidth", ingressRate: 8e8, ingressBurst: 8e8, egressRate: 8e8, egressBurst: 8e8 },
  ];
}

/** The reference's DEL, where there is no masquerading by iptables. All is gone nevertheless. */
const MISTAKEN = /^running .*iptables -t nat -D POSTROUTING .*Chain 'CNI-\w+' does not exist/;

interface Running {
  readonly container: Container;
  readonly chain: readonly Json[];
  readonly result: Json;
}

/** A host with a directory of plugins, as a runtime uses it. */
class Service {
  readonly w: World;
  readonly plugins: PluginFolder;
  readonly #cniVersion: string;
  readonly #backends: Backends;

  constructor(t: TestContext, w: World, release: Release, backends: Backends) {
    this.w = w;
    this.plugins = new PluginFolder(t, release);
    this.#cniVersion = NEWEST[release];
    this.#backends = backends;
    w.must("sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0");
  }

  #call(verb: Verb, config: Json, container?: Container, more: Json = {}): Json {
    // Verbs that came with 1.1.0 are called in that version.
    const cniVersion = verb === "STATUS" || verb === "GC" ? "1.1.0" : this.#cniVersion;
    const settings = { path: this.plugins.path, ...more };
    const { code, output } = this.w.call(verb, { cniVersion, ...config }, container, settings);
    if (!(verb === "DEL" && MISTAKEN.test(output?.msg)))
      assert.equal(code, 0, `${verb} ${config.type}: ${JSON.stringify(output)}`);
    return output;
  }

  add(number: number): Running {
    const container = newContainer(this.w, `c${number}`);
    const chain = chainOf(number, this.#backends);
    let result: Json;
    for (const config of chain) result = this.#call("ADD", config, container, { prevResult: result });
    return { container, chain, result };
  }

  check({ container, chain, result }: Running): void {
    for (const config of chain) this.#call("CHECK", config, container, { prevResult: result });
  }

  del({ container, chain, result }: Running): void {
    for (const config of chain.toReversed()) this.#call("DEL", config, container, { prevResult: result });
  }

  status(): void {
    for (const config of chainOf(1, this.#backends)) this.#call("STATUS", config);
  }

  gc(valid: readonly Running[]): void {
    const attachments = valid.map(({ container: { id } }) => ({ containerID: id, ifname: "eth0" }));
    for (const config of chainOf(1, this.#backends))
      this.#call("GC", { ...config, "cni.dev/valid-attachments": attachments });
  }
}

/** All of a container that its plugins have made, and the MAC addresses. */
function insideOf({ container }: Running): Json {
  const links = container.ip("address", "show").map(({ ifname, address, mtu, flags, ifindex }) => ({
    ...{ ifname, address, mtu, flags, ifindex, addresses: container.addresses(ifname) },
  }));
  return [
    links,
    container.routes(4),
    container.routes(6),
    container.must("tc", "qdisc", "show", "dev", "eth0"),
  ];
}

/** Nothing is forwarded but to published ports, and what the plugin firewall lets through. */
function closeForward(w: World): void {
  for (const program of ["iptables", "ip6tables"]) {
    w.must(program, "-P", "FORWARD", "DROP");
    w.must(program, ..."-A FORWARD -m conntrack --ctstate DNAT -j ACCEPT".split(" "));
  }
}

/** What a container of this network may leave: all but the bridge and the chains that all share. */
function leftovers(w: World): string[] {
  const own =
    /veth|bwp|10\.1\.0\.([2-9]|\d\d)(?!\d)|fd01::([2-9a-f]|\d\d)|CNI-[0-9a-f]{20}|CNI-DN-|\/c\d+|"c\d+/;
  return linesOfState(w).filter((line) => own.test(line));
}

const TITLE: Readonly<Record<Side, string>> = { theirs: "the reference", ours: "ours" };

for (const release of RELEASES)
  for (const [backends, told] of [
    [IPTABLES, "by iptables"],
    [UNSAID, "by the backends that each prefers"],
  ] as const)
    for (const from of SIDES)
      test(
        `${told}, ${release}: ${TITLE[from]} is replaced by ${TITLE[otherOf(from)]} under running containers`,
        beside(release),
        async (t) => {
          const to = otherOf(from);
          const w = await World.start(t);
          const far = outside(w);
          // What forwards is what the plugins let through.
          closeForward(w);
          const service = new Service(t, w, release, backends);
          service.plugins.install(from);
          assert.equal(w.exec(["test", "-e", "/run/cni"]).code, 1);
          const old = [1, 2, 3].map((number) => service.add(number));
          await echo(t, old[0]!.container);
          await answer(t, old[1]!.container, 80);
          const traffic = [
            connection(t, far, "192.0.2.1", 8001),
            connection(t, far, "fd99::1", 8001),
            pings(t, old[0]!.container, "192.0.2.2"),
            pings(t, old[2]!.container, "fd99::2"),
          ];
          const goesOn = () => Promise.all(traffic.map((each) => each.goesOn()));
          await goesOn();
          const before = { lines: linesOfState(w), inside: old.map(insideOf) };

          service.plugins.install(to);
          await goesOn();
          const added = [4, 5].map((number) => service.add(number));
          await answer(t, added[0]!.container, 80);
          assert.equal(ask(far, "192.0.2.1", 8004), "c4 192.0.2.2");
          assert.equal(ask(far, "192.0.2.1", 8002), "c2 192.0.2.2");
          for (const each of added) assert.equal(each.container.pings("192.0.2.2"), true);
          // The reference's CHECK does not understand ports of ours by nftables, nor its own of both families (1.1.1).
          if (to === "ours") for (const each of [...old, ...added]) service.check(each);
          if (NEWEST[release] === "1.1.0" || to === "ours") {
            service.status();
            service.gc([...old, ...added]);
          }
          await goesOn();
          assert.deepEqual(without(before.lines, linesOfState(w)), [], "what was there stays");
          assert.deepEqual(old.map(insideOf), before.inside);

          for (const each of added) service.del(each);
          await goesOn();
          assert.deepEqual(without(before.lines, linesOfState(w)), [], "what was there stays");
          assert.deepEqual(old.map(insideOf), before.inside);
          for (const each of traffic) await each.end();

          for (const each of old) service.del(each);
          const left = leftovers(w);
          const known = from === "ours" ? KNOWN(backends, release) : /^$/;
          assert.deepEqual(
            left.filter((line) => !known.test(line)),
            [],
          );
          service.plugins.install("ours");
          service.gc([]);
          assert.deepEqual([leftovers(w), w.reserved()], [[], {}]);
        },
      );

/** What the reference does not know of ours, after it has deleted the containers. */
function KNOWN(backends: Backends, release: Release): RegExp {
  const records = `^/run/cni/firewall/`;
  const ports = `|^element ip6? cni_hostport `;
  const masquerade = `|^rule inet cni_plugins_masquerade `;
  if (backends === IPTABLES) return new RegExp(records);
  return new RegExp(records + ports + (release === "1.1.1" ? masquerade : ""));
}

/** Whose plugin stands under which name, for all combinations of four; the other two go along. */
const COMBINATIONS = Array.from({ length: 16 }, (_, bits) => {
  const [bridge, hostLocal, portmap, firewall] = [1, 2, 4, 8].map(
    (bit) => (bits & bit ? "ours" : "theirs") as Side,
  );
  const same = (one: Side | undefined, other: Side | undefined) => (one === other ? "ours" : "theirs");
  return {
    bridge,
    "host-local": hostLocal,
    portmap,
    firewall,
    tuning: same(bridge, portmap),
    bandwidth: same(hostLocal, firewall),
  };
});

for (const release of RELEASES)
  test(
    `${release}: an upgrade that stopped half way: any plugin of a chain may be either's, and the others then delete`,
    beside(release),
    async (t) => {
      const w = await World.start(t);
      const far = outside(w);
      closeForward(w);
      const service = new Service(t, w, release, IPTABLES);
      const arrange = (whose: Json, turn: (side: Side) => Side = (side) => side) => {
        for (const name of PLUGINS) service.plugins.install(turn(whose[name]), [name]);
      };
      for (const [index, whose] of COMBINATIONS.entries()) {
        const said = JSON.stringify(whose);
        arrange(whose);
        const running = service.add(index + 1);
        const server = await answer(t, running.container, 80);
        assert.equal(ask(far, "192.0.2.1", 8001 + index), `c${index + 1} 192.0.2.2`, said);
        assert.equal(running.container.pings("192.0.2.2"), true, said);
        server.kill();
        service.plugins.install("ours");
        service.check(running);
        arrange(whose, otherOf);
        service.del(running);
        assert.deepEqual([running.container.link(), w.reserved()], [undefined, {}], said);
        const left = leftovers(w).filter((line) => !line.startsWith("/run/cni/firewall/"));
        assert.deepEqual(left, [], said);
      }
    },
  );

for (const [from, to] of [SIDES, SIDES.toReversed()])
  test(
    `a call that waits while its program is replaced ends well: ${TITLE[from!]} by ${TITLE[to!]}`,
    beside("1.1.1"),
    async (t) => {
      const w = await World.start(t);
      const service = new Service(t, w, "1.1.1", IPTABLES);
      service.plugins.install(from!);
      const first = service.add(1);
      const config = { ...first.chain[0], cniVersion: "1.0.0" };
      const c2 = newContainer(w, "c2");
      // host-local waits for the lock, and bridge for host-local.
      const holder = w.spawn(t, "flock", "/var/lib/cni/networks/net/lock", "sh", "-c", "echo locked; cat");
      for await (const line of createInterface(holder.stdout)) {
        assert.equal(line, "locked");
        break;
      }
      const call = w.start("ADD", config, c2, { path: service.plugins.path });
      service.plugins.install(to!);
      holder.stdin.end();
      const { code, output } = await call;
      assert.equal(code, 0, JSON.stringify(output));
      assert.equal(c2.pings("10.1.0.1"), true);
      service.del({ container: c2, chain: [config], result: output });
      service.del(first);
      assert.deepEqual(
        leftovers(w).filter((line) => !line.startsWith("/run/cni/firewall/")),
        [],
      );
    },
  );

test(
  "the commands of docs/upgrade.md: to plumb, again after a stop half way, and back",
  beside("1.1.1"),
  async (t) => {
    const w = await World.start(t);
    const page = readFileSync(join(root, "docs/upgrade.md"), "utf8");
    const [there, back] = [...page.matchAll(/^```sh\n(.*?)^```/gms)].map(([, commands]) => commands!);
    const bin = "/run/cni/bin";
    const paste = (commands: string) =>
      w.must(
        "sh",
        "-ec",
        `sudo() { "$@"; }\n${commands.replaceAll("/opt/cni/bin", bin).replace("PATH-TO/plumb", plumb)}`,
      );
    const same = (one: string, other: string) => w.must("diff", "--recursive", "--brief", one, other);
    w.must("mkdir", "-p", bin);
    w.must("cp", "-a", `${folderOf("1.1.1")}/.`, bin);
    // Stopped in the copy, and before a name was replaced.
    w.must("mkdir", "/run/cni/bin.copy");
    w.must("sh", "-c", `echo half > /run/cni/bin.copy/bridge; ln -s plumb ${bin}/.portmap.new`);
    for (const _ of ["first", "again"]) {
      assert.match(paste(there!), /"supportedVersions":.*"1\.1\.0"/);
      for (const name of PLUGINS) same(`${bin}/${name}`, plumb);
      same("/run/cni/bin.reference/portmap", join(folderOf("1.1.1")!, "portmap"));
    }
    // Its link leads to the program that the others are, which must not become the reference's bridge.
    w.must("ln", "-s", "plumb", `${bin}/.bridge.new`);
    paste(back!);
    for (const name of PLUGINS) same(`${bin}/${name}`, join(folderOf("1.1.1")!, name));
    same(`${bin}/plumb`, plumb);
    assert.equal(w.must("find", bin, "-name", ".*"), "");
  },
);

test("while files are replaced to and fro, every call finds a plugin", beside("1.1.1"), async (t) => {
  const w = await World.start(t);
  const service = new Service(t, w, "1.1.1", IPTABLES);
  const { path } = service.plugins;
  service.plugins.install("theirs");
  const config = { ...chainOf(1, IPTABLES)[0], cniVersion: "1.0.0" };
  let calls = 0;
  const worker = async (id: string) => {
    const container = newContainer(w, id);
    for (let round = 0; round < 12; round++)
      for (const verb of ["ADD", "DEL"] as const) {
        const { code, output } = await w.start(verb, config, container, { path });
        assert.equal(code, 0, `${verb}: ${JSON.stringify(output)}`);
        calls++;
      }
    return "done";
  };
  const workers = Promise.all(["c1", "c2", "c3"].map(worker));
  let replaced = 0;
  while ((await Promise.race([workers, new Promise((resolve) => setImmediate(resolve))])) === undefined)
    service.plugins.install(SIDES[++replaced % 2]!, ["bridge", "host-local"]);
  assert.equal(calls, 72);
  assert.ok(replaced > 10);
  assert.ok(existsSync(join(path, "bridge")));
  assert.deepEqual([leftovers(w), w.reserved()], [[], {}]);
});

for (const release of RELEASES)
  test(
    `${release}: what ours has written down may be lost: DEL finds all but the addresses of the firewall`,
    beside(release),
    async (t) => {
      const w = await World.start(t);
      const service = new Service(t, w, release, IPTABLES);
      service.plugins.install("ours");
      const running = [1, 2].map((number) => service.add(number));
      w.must("sh", "-c", "rm -r /run/cni /var/lib/cni/networks/.plumb");
      for (const each of running) service.del(each);
      assert.deepEqual([leftovers(w), w.reserved()], [[], {}]);
    },
  );
