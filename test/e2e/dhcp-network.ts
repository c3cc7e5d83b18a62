// A network as on a cable: the host's link `phys` leads to a namespace of DHCP servers and routers, real ones. And the
// daemons that get leases from them.
import assert from "node:assert/strict";
import { accessSync, constants, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { TestContext } from "node:test";
import { leaseDirectory, RECORD_NAME } from "../../src/dhcp/protocol.ts";
import { root } from "../root.ts";
import { Program, until } from "./program.ts";
import { type Container, type Json, reference, World } from "./world.ts";

export const SOCKET = "/run/cni/dhcp.sock";
/** The servers' own addresses. */
export const SERVER = "10.66.0.1";
export const SERVER6 = "fd66::1";

/** Where scripts/setup puts servers that it does not install: that would start them on the machine. */
const unpacked = join(root, "dist/servers");
const folders = [...process.env["PATH"]!.split(delimiter), "/usr/sbin", join(unpacked, "usr/sbin")];

function find(name: string): string | undefined {
  return folders
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

const PROGRAMS = ["dnsmasq", "kea-dhcp4", "kea-dhcp6", "radvd", "busybox"] as const;
const paths = new Map(PROGRAMS.map((name) => [name, find(name)]));

/** For tests that need these programs. */
export function needs(...names: (typeof PROGRAMS)[number][]): { skip: string | false } {
  const missing = names.filter((name) => paths.get(name) === undefined);
  return { skip: missing.length > 0 && `${missing.join(", ")} not there: run scripts/setup tests` };
}

/** A range of addresses: `range(50)` is 10.66.0.50 to 10.66.0.69. */
export const range = (first: number, last = first + 19) => [`10.66.0.${first}`, `10.66.0.${last}`] as const;

/** Seconds until a lease's half, until its end draws near, and until it ends. */
export interface Times {
  readonly renew: number;
  readonly rebind: number;
  readonly valid: number;
}

/** Long enough that nothing happens during a test. */
export const LONG: Times = { renew: 1800, rebind: 3150, valid: 3600 };

/** A container's interface on the cable itself. */
export const macvlan: Json = { type: "macvlan", master: "phys", ipam: { type: "dhcp" } };

export class DhcpNetwork {
  readonly world: World;
  /** The namespace at the cable's other end, where its link is `wire`. */
  readonly server: Container;
  readonly #t: TestContext;

  private constructor(t: TestContext, world: World, server: Container) {
    this.#t = t;
    this.world = world;
    this.server = server;
  }

  static async start(t: TestContext): Promise<DhcpNetwork> {
    const w = await World.start(t);
    const server = w.container("server");
    server.must("sysctl", "-q", "net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.all.forwarding=1");
    w.must(..."ip link add phys type veth peer name wire netns server".split(" "));
    w.must("ip", "link", "set", "phys", "up");
    for (const address of [`${SERVER}/24`, `${SERVER6}/64`])
      server.must("ip", "address", "add", address, "dev", "wire");
    for (const link of ["lo", "wire"]) server.must("ip", "link", "set", link, "up");
    return new DhcpNetwork(t, w, server);
  }

  /** Starts a program in the servers' namespace; in the host's mounts, so that it holds no other namespace. */
  spawn(name: string, ...args: string[]): Program {
    const path = paths.get(name as (typeof PROGRAMS)[number]) ?? name;
    // What was unpacked finds its libraries beside it.
    const libraries = path.startsWith(unpacked)
      ? [`LD_LIBRARY_PATH=${unpacked}/usr/lib/${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu`]
      : [];
    const kea = ["KEA_LOCKFILE_DIR=none", "KEA_PIDFILE_DIR=/run", "KEA_DHCP_DATA_DIR=/run"];
    const entering = ["nsenter", `--net=${this.server.netns}`, "--"];
    return new Program(this.#t, this.world, [...entering, "env", ...libraries, ...kea, path, ...args]);
  }

  /** Waits until a server has a socket at this UDP port. */
  async #listening(server: Program, port: number): Promise<Program> {
    const filter = ["ss", "-H", "-l", "-u", "-n", "sport", "=", `:${port}`];
    await server.until(`a socket at port ${port}`, () => this.server.must(...filter).trim());
    return server;
  }

  #file(name: string, content: string | Json): string {
    const path = join(this.world.bin, name);
    writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
    return path;
  }

  /**
   * It leases the first free address, for an hour, and does not ping before. `--dhcp-option=58,10` has it renewed after
   * 10 s.
   */
  async dnsmasq(
    addresses: readonly [string, string] = range(50),
    ...options: readonly string[]
  ): Promise<Program> {
    const sequential = ["--dhcp-sequential-ip", `--dhcp-range=${addresses.join()},255.255.255.0,1h`];
    return await this.#dnsmasq([...sequential, ...options]);
  }

  /**
   * It has 10.67.0.0/16 to lease, and chooses by MAC address: the first free one it would offer to several who come at
   * the same time.
   */
  async dnsmasqForMany(): Promise<Program> {
    this.server.must("ip", "address", "add", "10.67.0.1/16", "dev", "wire");
    return await this.#dnsmasq(["--dhcp-range=10.67.1.0,10.67.255.250,255.255.0.0,1h"]);
  }

  async #dnsmasq(options: readonly string[]): Promise<Program> {
    const program = this.spawn(
      ...([
        "dnsmasq",
        "--keep-in-foreground",
        "--conf-file=/dev/null",
        "--user=root",
        "--group=root",
        "--pid-file",
      ] as const),
      ...["--port=0", "--no-resolv", "--no-hosts", "--bind-interfaces", "--interface=wire", "--no-ping"],
      ...["--log-facility=-", "--log-dhcp", "--dhcp-authoritative", "--dhcp-lease-max=5000"],
      ...["--dhcp-leasefile=/run/dnsmasq.leases", ...options],
    );
    return await this.#listening(program, 67);
  }

  /** What dnsmasq has leased: address and client identifier, as text if it is text after a 0. Sorted by address. */
  leases(): string[] {
    const { stdout } = this.world.exec(["cat", "/run/dnsmasq.leases"]);
    return stdout
      .split("\n")
      .map((line) => line.split(" "))
      .filter((words) => words.length === 5 && words[0] !== "duid")
      .map(([, , address, , id]) => {
        const bytes = Buffer.from(id!.replaceAll(":", ""), "hex");
        return `${address} ${bytes[0] === 0 ? bytes.subarray(1) : id}`;
      })
      .sort();
  }

  /** The daemon's records: a file for each attachment. */
  records(): string[] {
    const { stdout } = this.world.exec(["ls", leaseDirectory(SOCKET)]);
    return stdout.split("\n").filter((name) => RECORD_NAME.test(name));
  }

  /** Kea, which takes times of seconds, and tells of each packet from where and to whom it was sent. */
  async kea4(addresses: readonly [string, string], times: Times, subnet: Json = {}): Promise<Program> {
    const subnet4 = {
      id: 1,
      subnet: "10.66.0.0/24",
      pools: [{ pool: addresses.join("-") }],
      "option-data": [{ name: "routers", data: SERVER }],
      ...subnet,
    };
    const own = {
      "interfaces-config": { interfaces: ["wire"], "dhcp-socket-type": "raw" },
      authoritative: true,
    };
    return await this.#kea(4, { ...own, subnet4: [subnet4] }, times);
  }

  async kea6(times: Times, subnet: Json = {}): Promise<Program> {
    const subnet6 = {
      id: 1,
      subnet: "fd66::/64",
      interface: "wire",
      pools: [{ pool: "fd66::50-fd66::99" }],
      ...subnet,
    };
    const own = {
      "interfaces-config": { interfaces: ["wire"] },
      "preferred-lifetime": times.rebind,
      "data-directory": "/run",
    };
    return await this.#kea(6, { ...own, subnet6: [subnet6] }, times);
  }

  async #kea(version: 4 | 6, config: Json, times: Times): Promise<Program> {
    const name = `kea-dhcp${version}` as const;
    const logger = { name, output_options: [{ output: "stdout" }], severity: "DEBUG", debuglevel: 45 };
    const file = this.#file(`${name}.json`, {
      [`Dhcp${version}`]: {
        "lease-database": { type: "memfile", persist: true, name: `/run/${name}.leases`, "lfc-interval": 0 },
        "renew-timer": times.renew,
        "rebind-timer": times.rebind,
        "valid-lifetime": times.valid,
        loggers: [logger],
        ...config,
      },
    });
    // It takes no link that does not run yet.
    await until("the cable", () => this.server.link("wire").operstate === "UP");
    const program = this.spawn(name, "-c", file);
    await program.says(/DHCP[46]_STARTED/);
    return program;
  }

  /** BusyBox's server; its leases are of `seconds`. It forgets them when it ends. */
  async udhcpd(addresses: readonly [string, string], seconds: number, ...lines: string[]): Promise<Program> {
    const file = this.#file(
      "udhcpd.conf",
      [
        `start ${addresses[0]}`,
        `end ${addresses[1]}`,
        "interface wire",
        "min_lease 1",
        "lease_file /run/udhcpd.leases",
        "pidfile /run/udhcpd.pid",
        "opt subnet 255.255.255.0",
        `opt router ${SERVER}`,
        `opt lease ${seconds}`,
        ...lines,
        "",
      ].join("\n"),
    );
    this.world.must("touch", "/run/udhcpd.leases");
    // Without a wait for who might have the address.
    return await this.#listening(this.spawn("busybox", "udhcpd", "-f", "-a", "1", file), 67);
  }

  /** A router; `lines` belong to its interface. */
  async radvd(...lines: string[]): Promise<Program> {
    const file = this.#file(
      "radvd.conf",
      `interface wire { AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; ${lines.join(" ")} };`,
    );
    const program = this.spawn("radvd", "-n", "-d", "3", "-m", "stderr", "-C", file, "-p", "/run/radvd.pid");
    await program.says(/sending RA|version .* started/);
    return program;
  }

  /** A bridge with the cable in it. Its MAC address is its own: else it would change with those of its ports. */
  bridge(name = "br0"): Json {
    this.world.must(
      ..."ip link add".split(" "),
      name,
      "address",
      "02:66:00:00:00:01",
      "up",
      "type",
      "bridge",
    );
    this.world.must("ip", "link", "set", "phys", "master", name);
    return { type: "bridge", bridge: name, ipam: { type: "dhcp" } };
  }

  /** Frames that the cable loses: of those to the servers, and of those from there. Conditions of nft; none: all. */
  lose(toServers: string, fromServers = toServers): void {
    const chain = (name: string, hook: string, condition: string) =>
      `chain ${name} { type filter hook ${hook} device "phys" priority 0\n${condition} drop\n}\n`;
    const table = `table netdev cable {\n${chain("to", "egress", toServers)}${chain("from", "ingress", fromServers)}}\n`;
    const { code, stderr } = this.world.exec(["nft", "-f", "-"], { input: table });
    assert.equal(code, 0, stderr);
  }

  /** Nothing is lost any more. */
  repair(): void {
    this.world.must("nft", "delete", "table", "netdev", "cable");
  }

  /** Our daemon, once it listens. */
  async daemon(...flags: string[]): Promise<Program> {
    return await this.daemonBy([join(this.world.bin, "dhcp")], flags);
  }

  /** Any dhcp executable's daemon, at the usual socket unless the flags name another. */
  async daemonBy(command: readonly string[], flags: readonly string[] = []): Promise<Program> {
    const named = flags.findIndex((flag) => /^--?socketpath$/.test(flag));
    const socket = named === -1 ? SOCKET : flags[named + 1]!;
    const program = new Program(this.#t, this.world, [...command, "daemon", ...flags]);
    await program.until(`a socket at ${socket}`, () => this.isServed(socket));
    return program;
  }

  async referenceDaemon(...flags: string[]): Promise<Program> {
    return await this.daemonBy([join(reference!, "dhcp")], flags);
  }

  /** Whether somebody listens there, who may have given the socket its name when it was ready. */
  isServed(socket = SOCKET): boolean {
    const names = [socket, `${socket.slice(0, -1)}~`];
    const listening = this.world.must("ss", "-H", "-l", "-x").split(/\s+/);
    return (
      listening.some((word) => names.some((name) => word.endsWith(name))) &&
      this.world.exec(["test", "-S", socket]).code === 0
    );
  }
}
