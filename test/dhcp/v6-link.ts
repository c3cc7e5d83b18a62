// Two namespaces on a veth pair, with a real DHCPv6 server on the one end and our client on the other.
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { ContainerInterface } from "../../src/dhcp/container-interface.ts";
import { Loop } from "../../src/dhcp/loop.ts";
import { prepareInterface } from "../../src/dhcp/ra/prepare.ts";
import type { Lease, SourceContext, SourceEvents } from "../../src/dhcp/source.ts";
import { linkLocalAddress } from "../../src/dhcp/v6/link-local.ts";
import type { Host } from "../../src/host/host.ts";
import { TestNamespace } from "../netlink/namespaces.ts";

/** Beyond this a test has failed; nothing is expected to take as long. */
const PATIENCE_MS = 15_000;

/** What a source told: `bound fd00::1`, `lost`, `gone`, in their order, and what goes with it. */
export interface Told {
  readonly what: "bound" | "lost" | "gone";
  readonly lease?: Lease;
  readonly reason?: string;
}

/** eth0 in the one namespace, s0 with fd00:1::1/64 in the other. */
export class V6Link {
  readonly client: TestNamespace;
  readonly server: TestNamespace;
  readonly folder: string;
  readonly told: Told[] = [];
  readonly logged: string[] = [];
  readonly loop: Loop;
  readonly #t: TestContext;

  constructor(t: TestContext) {
    this.#t = t;
    this.client = new TestNamespace(t);
    this.server = new TestNamespace(t);
    this.folder = mkdtempSync(join(tmpdir(), "plumb-dhcp6-"));
    t.after(() => rmSync(this.folder, { recursive: true }));
    this.server.run("ip", "link", "add", "s0", "type", "veth", "peer", "eth0", "netns", this.client.name);
    this.server.run("sysctl", "-qw", "net.ipv6.conf.s0.accept_dad=0", "net.ipv6.conf.s0.forwarding=1");
    this.server.run("ip", "link", "set", "s0", "up");
    this.server.run("ip", "address", "add", "fd00:1::1/64", "dev", "s0", "nodad");
    this.loop = new Loop(this.host, (error) => assert.fail(error as Error));
    prepareInterface(this.#target());
  }

  get host(): Host {
    return this.client.host;
  }

  /** A context of its own: one for each life of the client. */
  context(timing: Partial<SourceContext["timing"]> = {}): SourceContext {
    return {
      host: this.host,
      scheduler: this.loop,
      target: this.#target(),
      id: { containerId: this.client.name, network: "office", ifName: "eth0" },
      wish: { ipv4: "none", ipv6: "dhcp", request: [], provide: [], broadcast: false, mtu: false },
      timing: { timeout: 10_000, resendMax: 60_000, probe: 50, ...timing },
    };
  }

  readonly events: SourceEvents = {
    bound: (lease) => this.#tell({ what: "bound", lease }),
    lost: (reason) => this.#tell({ what: "lost", reason }),
    gone: (reason) => this.#tell({ what: "gone", reason }),
    log: (text) => this.logged.push(text),
  };

  /** Lets the loop run until something is told, and gives that. */
  next(): Told {
    const guard = this.loop.after(PATIENCE_MS, () => this.loop.stop());
    if (this.told.length === 0) this.loop.run();
    guard.cancel();
    const told = this.told.shift();
    assert.ok(told, `nothing was told; the log: ${this.logged.join("; ")}`);
    return told;
  }

  /** The next must be a lease. */
  bound(): Lease {
    const { what, lease, reason } = this.next();
    assert.equal(what, "bound", reason);
    return lease!;
  }

  /** Lets the loop run until a condition holds, for which it looks every few milliseconds. */
  until(what: string, condition: () => boolean): void {
    const end = this.loop.now() + PATIENCE_MS;
    let holds = false;
    const look = () => {
      holds = condition();
      if (holds || this.loop.now() >= end) this.loop.stop();
      else this.loop.after(10, look);
    };
    this.loop.after(0, look);
    this.loop.run();
    assert.ok(holds, what);
  }

  /** Lets the loop run for a time, in which nothing may be told. */
  idle(ms: number): void {
    this.loop.after(ms, () => this.loop.stop());
    this.loop.run();
    assert.deepEqual(this.told, []);
  }

  /** Waits until both ends can send. */
  ready(): void {
    for (const [{ name }, end] of [
      [this.server, "s0"],
      [this.client, "eth0"],
    ] as const) {
      const target = new ContainerInterface(this.host, `/run/netns/${name}`, end);
      this.until(`${end} is up`, () => target.use(linkLocalAddress) !== undefined);
    }
  }

  /** The UDP and raw sockets of IPv6 in the client's namespace. */
  sockets(): string {
    return this.client.run("ss", "-6Huwa");
  }

  /** dnsmasq, which knows IPv6 leases of two minutes and more. */
  async dnsmasq(range: string, ...options: string[]): Promise<Server> {
    const server = new Server(
      this.#t,
      this.server,
      "dnsmasq",
      ...["--no-daemon", "--conf-file=/dev/null", "--port=0", "--user=root", "--pid-file=", "--log-dhcp"],
      ...["--interface=s0", "--bind-dynamic", `--dhcp-leasefile=${this.folder}/dnsmasq.leases`],
      ...[`--dhcp-range=${range}`, ...options],
    );
    await server.says(/DHCPv6|sockets bound/);
    return server;
  }

  get dnsmasqLeases(): string {
    return readFileSync(join(this.folder, "dnsmasq.leases"), "utf8");
  }

  /** Kea, which knows leases of seconds, with a pool of addresses as `fd00:1::100-fd00:1::1ff`. */
  async kea(pool: string, settings: object): Promise<Server> {
    const config = {
      "interfaces-config": { interfaces: ["s0"] },
      "lease-database": { type: "memfile", name: join(this.folder, "kea.csv"), "lfc-interval": 0 },
      "server-id": { type: "EN", "enterprise-id": 2495, identifier: "0123", persist: false },
      subnet6: [{ subnet: "fd00:1::/64", interface: "s0", pools: [{ pool }] }],
      loggers: [{ name: "kea-dhcp6", output_options: [{ output: "stdout" }], severity: "INFO" }],
      ...settings,
    };
    const path = join(this.folder, "kea.json");
    writeFileSync(path, JSON.stringify({ Dhcp6: config }));
    const folders = ["KEA_PIDFILE_DIR", "KEA_LOCKFILE_DIR", "KEA_DHCP_DATA_DIR"];
    const env = folders.map((name) => `${name}=${this.folder}`);
    const server = new Server(this.#t, this.server, "env", ...env, "kea-dhcp6", "-c", path);
    await server.says(/DHCP6_STARTED/);
    return server;
  }

  #target(): ContainerInterface {
    return new ContainerInterface(this.host, `/run/netns/${this.client.name}`, "eth0");
  }

  #tell(told: Told): void {
    this.told.push(told);
    this.loop.stop();
  }
}

/** A program that serves in a namespace until it is stopped, or the test ends. */
export class Server {
  readonly #child: ChildProcess;
  #output = "";

  constructor(t: TestContext, { name }: TestNamespace, ...command: string[]) {
    this.#child = spawn("ip", ["netns", "exec", name, ...command], { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.#child.stdout!, this.#child.stderr!])
      stream.on("data", (data) => (this.#output += data));
    t.after(() => this.stop());
  }

  async says(text: RegExp): Promise<void> {
    while (!text.test(this.#output)) {
      assert.equal(this.#child.exitCode, null, this.#output);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill(signal);
    await ended;
  }
}

export function programs(...names: string[]): { skip: string | false } {
  const missing = names.filter((name) => {
    try {
      execFileSync("which", [name]);
      return false;
    } catch {
      return true;
    }
  });
  return { skip: missing.length > 0 && `${missing.join(", ")} not installed` };
}
