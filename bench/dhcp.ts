import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { type Figure, figureOf, type Side } from "./figure.ts";
import { alternate, type Samples, timed } from "./harness.ts";
import { makeNamespaces, type World } from "./world.ts";

type Plugins = "ours" | "reference";

/** The reference waits for seconds when the interface is not up at once: so few are taken. */
const MOST_RUNS = 8;
const AT_ONCE = 200;
const LEASES = 1000;
const SIDES: readonly Plugins[] = ["ours", "reference"];
/** A cable and a subnet for each, so that none hears the other's containers ask. */
const MASTERS: Record<Plugins, string> = { ours: "dhcp0", reference: "dhcp1" };
const SUBNETS: Record<Plugins, string> = { ours: "10.67", reference: "10.68" };
const ip = (...args: string[]) => execFileSync("ip", args, { stdio: ["ignore", "ignore", "pipe"] });

/** What do leases of macvlan and dhcp cost: in time one by one and many at once, in memory of the daemon? */
export function dhcp(world: World): Figure[] {
  const network = new DhcpNetwork(world);
  try {
    return [oneByOne(network), ...manyAtOnce(network)];
  } finally {
    network.end();
  }
}

/** A cable whose other end has a server, and the daemons. */
class DhcpNetwork {
  readonly world: World;
  readonly daemons: Readonly<Record<Plugins, ChildProcess>>;
  /** Of the containers: both sides attach them, each to a cable of its own. */
  readonly namespaces: readonly string[];
  readonly #server: ChildProcess;
  readonly #folder: string;

  constructor(world: World) {
    this.world = world;
    this.#folder = join(world.scratch, "dhcp");
    mkdirSync(this.#folder);
    const [cable] = makeNamespaces(world.host, "dhcp-server", 1);
    const there = basename(cable!);
    for (const side of SIDES) {
      const [here, wire] = [MASTERS[side], `${MASTERS[side]}-wire`];
      ip("link", "add", here, "type", "veth", "peer", "name", wire, "netns", there);
      ip("link", "set", here, "up");
      ip("-n", there, "address", "add", `${SUBNETS[side]}.0.1/16`, "dev", wire);
      ip("-n", there, "link", "set", wire, "up");
    }
    this.#server = start("nsenter", `--net=${cable}`, "dnsmasq", ...this.#dnsmasqOptions());
    this.daemons = { ours: this.#startDaemon("ours"), reference: this.#startDaemon("reference") };
    this.namespaces = makeNamespaces(world.host, "dhcp", LEASES);
    for (const side of SIDES) this.#await(this.#socket(side));
    this.#await(join(this.#folder, "dnsmasq.leases"));
  }

  #dnsmasqOptions(): string[] {
    return [
      ...[
        "--keep-in-foreground",
        "--conf-file=/dev/null",
        "--user=root",
        "--group=root",
        "--pid-file",
        "--port=0",
      ],
      ...["--bind-interfaces", "--dhcp-authoritative", "--no-ping", "--log-facility=/dev/null"],
      ...["--dhcp-lease-max=10000"],
      ...SIDES.map((side) => `--dhcp-range=${SUBNETS[side]}.1.0,${SUBNETS[side]}.255.250,255.255.0.0,1h`),
      `--dhcp-leasefile=${join(this.#folder, "dnsmasq.leases")}`,
    ];
  }

  #startDaemon(side: Plugins): ChildProcess {
    return start(join(this.world[side], "dhcp"), "daemon", "-socketpath", this.#socket(side));
  }

  #socket(side: Plugins): string {
    return join(this.#folder, `${side}.sock`);
  }

  #await(path: string): void {
    for (let waited = 0; !existsSync(path); waited += 10) {
      if (waited > 5000) throw new Error(`${path} has not come in 5 s: is dnsmasq installed?`);
      this.world.host.sleep(10);
    }
  }

  /** Calls the plugin for the containers with these numbers, all at once; gives what the failing calls said. */
  call(side: Plugins, command: "ADD" | "DEL", numbers: readonly number[]): string[] {
    const outputs = join(this.#folder, "outputs");
    mkdirSync(outputs);
    const config = {
      ...{ cniVersion: "1.0.0", name: "bench-dhcp", type: "macvlan", master: MASTERS[side] },
      ipam: { type: "dhcp", daemonSocketPath: this.#socket(side) },
    };
    const script = `for number in ${numbers.join(" ")}; do
      printf %s "$CONFIG" | CNI_CONTAINERID=$SIDE-$number CNI_NETNS=/run/netns/dhcp-$number "$PLUGIN" \\
        > "$OUTPUTS/$number" 2>&1 && rm "$OUTPUTS/$number" &
      done; wait; cat "$OUTPUTS"/* 2> /dev/null || true`;
    const env = {
      ...{ PATH: "/usr/sbin:/usr/bin:/sbin:/bin", CNI_COMMAND: command, CNI_PATH: this.world[side] },
      ...{ CNI_IFNAME: side === "ours" ? "eth0" : "eth1", CONFIG: JSON.stringify(config), SIDE: side },
      ...{ OUTPUTS: outputs, PLUGIN: join(this.world[side], "macvlan") },
    };
    const { stdout, stderr } = spawnSync("sh", ["-c", script], { env, encoding: "utf8" });
    rmSync(outputs, { recursive: true });
    return [...`${stdout}${stderr}`.matchAll(/"msg": *("[^"]*")/g)].map(([, msg]) => msg!);
  }

  /** Resident memory of a daemon, in megabytes. */
  memory(side: Plugins): number {
    const status = readFileSync(`/proc/${this.daemons[side].pid}/status`, "utf8");
    return Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)![1]) / 1024;
  }

  end(): void {
    for (const child of [this.#server, ...Object.values(this.daemons)]) child.kill("SIGKILL");
    // The reference's daemon, which has them open, ends in a moment.
    for (const path of this.namespaces) execFileSync("umount", ["--lazy", path]);
    for (const side of SIDES) ip("link", "delete", MASTERS[side]);
  }
}

/** A daemon, which ends with this process at the latest. */
function start(...command: string[]): ChildProcess {
  return spawn("setpriv", ["--pdeathsig", "KILL", "--", ...command], { stdio: "ignore" });
}

function oneByOne(network: DhcpNetwork): Figure {
  const { host, runs } = network.world;
  const rounds = Array.from({ length: Math.min(runs, MOST_RUNS) }, (_, i) => i);
  const contestants = SIDES.map((name) => ({
    name,
    step: (round: number) => succeed(network.call(name, "ADD", [round])),
    after: (round: number) => succeed(network.call(name, "DEL", [round])),
  }));
  const samples: Samples<Side> = alternate(host, contestants, rounds);
  return figureOf("macvlan + dhcp ADD", "ms", samples, { faster: 1 });
}

/** Time of the first ADDs, all at once; and memory when there are many more. */
function manyAtOnce(network: DhcpNetwork): Figure[] {
  const times: Samples<Side> = new Map();
  const memory: Samples<Side> = new Map();
  const missing: Record<string, string> = {};
  for (const side of SIDES) {
    const numbers = (from: number) => Array.from({ length: AT_ONCE }, (_, i) => from + i);
    let failed: string[] = [];
    times.set(side, [
      timed(network.world.host, () => {
        failed = network.call(side, "ADD", numbers(0));
      }),
    ]);
    for (let from = AT_ONCE; from < LEASES; from += AT_ONCE)
      failed = [...failed, ...network.call(side, "ADD", numbers(from))];
    if (failed.length > 0)
      missing[side] = `${failed.length} of ${LEASES} failed, the first with ${failed[0]}`;
    memory.set(side, [network.memory(side)]);
  }
  if (missing["ours"]) throw new Error(missing["ours"]);
  return [
    figureOf(`${AT_ONCE} of macvlan + dhcp ADD at once`, "ms", times, { faster: 1 }, missing),
    figureOf(`memory of the DHCP daemon, ${LEASES} leases`, "MB", memory, { atMost: 20 }),
  ];
}

function succeed(failed: readonly string[]): void {
  if (failed.length > 0) throw new Error(failed[0]);
}
