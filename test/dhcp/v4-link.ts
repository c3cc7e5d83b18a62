// A bridge with a real DHCP server in one namespace, and our client in another that is plugged into it.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { Cidr } from "../../src/address/cidr.ts";
import { ContainerInterface } from "../../src/dhcp/container-interface.ts";
import { Loop, type Watch } from "../../src/dhcp/loop.ts";
import { Bpf, openPacketSocket, WHOLE } from "../../src/dhcp/packet-socket.ts";
import type { Wish } from "../../src/dhcp/protocol.ts";
import type { Lease, Source, SourceContext, SourceEvents } from "../../src/dhcp/source.ts";
import { decodeMessage } from "../../src/dhcp/v4/message.ts";
import { DEFAULT_REQUEST, MessageType, messageType } from "../../src/dhcp/v4/options.ts";
import { decodeUdp } from "../../src/dhcp/v4/packet.ts";
import { Dhcp4Source } from "../../src/dhcp/v4/source.ts";
import { Namespace } from "../../src/net/namespace.ts";
import { addAddress, removeAddress } from "../../src/netlink/address.ts";
import type { JsonObject } from "../../src/spec/json.ts";
import { TestNamespace } from "../netlink/namespaces.ts";
import { Server } from "./v6-link.ts";

/** Beyond this a test has failed; nothing is expected to take as long. */
const PATIENCE_MS = 15_000;
const ETH_P_IP = 0x0800;
const SERVER_PORT = 67;

/** What the client's interface is; macvlan and ipvlan are on the card of a host. */
export type Kind = "veth" | "macvlan" | "ipvlan";

/** The client's eth0, and br0 with 10.9.0.1/24 in the server's namespace. */
export class V4Link {
  readonly server: TestNamespace;
  readonly client: TestNamespace;
  readonly folder: string;
  readonly loop: Loop;
  /** What was told and not looked at yet: `bound 10.9.0.10/24`, `lost …`, `gone …`; and what servers had heard by then. */
  readonly told: { readonly what: string; readonly heard: readonly string[] }[] = [];
  readonly logged: string[] = [];
  /** What came to servers: `REQUEST to 10.9.0.1 by unicast`. */
  readonly heard: string[] = [];
  /** The client that was started last. */
  source: Source;
  lease: Lease | undefined;
  readonly #t: TestContext;
  #address: Cidr | undefined;

  constructor(t: TestContext, kind: Kind = "veth") {
    this.#t = t;
    this.server = new TestNamespace(t);
    this.client = new TestNamespace(t);
    this.folder = mkdtempSync(join(tmpdir(), "plumb-dhcp4-"));
    t.after(() => rmSync(this.folder, { recursive: true }));
    this.server.run("ip", "link", "add", "br0", "up", "type", "bridge");
    this.server.run("ip", "address", "add", "10.9.0.1/24", "dev", "br0");
    if (kind === "veth") this.#plug(this.client, "eth0");
    else this.#plugChild(kind);
    this.loop = new Loop(this.client.host, (error) => assert.fail(error as Error));
    this.source = new Dhcp4Source(this.context(), this.#events);
    const monitor = this.#monitor();
    t.after(() => {
      this.source.stop();
      monitor.stop();
    });
  }

  /** Another namespace on the bridge, whose eth0 is up. */
  bystander(): TestNamespace {
    const space = new TestNamespace(this.#t);
    this.#plug(space, "eth0");
    space.run("ip", "link", "set", "eth0", "up");
    return space;
  }

  /** Of the lease. */
  get address(): Cidr {
    return this.lease!.settings.ips![0]!.address;
  }

  /** A client without a lease. */
  start(wish: Partial<Wish> = {}): void {
    this.source = new Dhcp4Source(this.context(wish), this.#events);
    this.source.start();
  }

  /** Gives the lease back. */
  release(): void {
    this.source.release();
    this.#apply(undefined);
    this.until("the server has its address back", () => this.dnsmasqLeases === "");
  }

  /** Another process goes on with the lease, or with one that differs in some times. */
  goOn(times: Partial<Lease> = {}, memory: JsonObject = {}): void {
    this.source.stop();
    this.source = new Dhcp4Source(this.context(), this.#events);
    const lease = { ...this.lease!, ...times };
    this.source.start({ ...lease, memory: JSON.parse(JSON.stringify({ ...lease.memory, ...memory })) });
  }

  /** What a client works with, in a life of its own. */
  context(wish: Partial<Wish> = {}): SourceContext {
    const { host, name } = this.client;
    const all: Wish = {
      ipv4: "dhcp",
      ipv6: "none",
      request: DEFAULT_REQUEST,
      provide: [],
      broadcast: false,
      mtu: true,
    };
    return {
      host,
      scheduler: this.loop,
      target: new ContainerInterface(host, `/run/netns/${name}`, "eth0"),
      id: { containerId: name, network: "office", ifName: "eth0" },
      wish: { ...all, ...wish },
      timing: { timeout: 10_000, resendMax: 1_000, probe: 50 },
    };
  }

  readonly #events: SourceEvents = {
    bound: (lease) => {
      this.lease = lease;
      const { address } = lease.settings.ips![0]!;
      this.#apply(address);
      this.#tell(`bound ${address}`);
    },
    lost: (reason) => {
      this.#apply(undefined);
      this.#tell(`lost: ${reason}`);
    },
    gone: (reason) => this.#tell(`gone: ${reason}`),
    log: (text) => this.logged.push(text),
  };

  /** Lets the loop run until something is told: this. Gives what servers have heard before, each but once in a row. */
  expect(expected: RegExp): string[] {
    this.until("something is told", () => this.told.length > 0);
    const { what, heard } = this.told.shift()!;
    assert.match(what, expected);
    return heard.filter((line, index) => line !== heard[index - 1]);
  }

  /** Lets the loop run until a condition holds, for which it looks every few milliseconds. */
  until(what: string, condition: () => boolean): void {
    const end = this.loop.now() + PATIENCE_MS;
    const look = () => {
      if (condition() || this.loop.now() >= end) this.loop.stop();
      else this.loop.after(5, look);
    };
    this.loop.after(0, look);
    this.loop.run();
    assert.ok(condition(), `never: ${what}; log: ${this.logged.join("; ")}; heard: ${this.heard.join("; ")}`);
  }

  /** dnsmasq, which knows leases of two minutes and more. */
  async dnsmasq(range: string, ...options: string[]): Promise<Server> {
    const server = new Server(
      this.#t,
      this.server,
      "dnsmasq",
      ...["--no-daemon", "--conf-file=/dev/null", "--port=0", "--user=root", "--pid-file="],
      ...["--interface=br0", "--bind-dynamic", "--no-ping", "--dhcp-authoritative"],
      ...[`--dhcp-leasefile=${this.folder}/dnsmasq.leases`, `--dhcp-range=${range},2m`, ...options],
    );
    await server.says(/sockets bound/);
    return server;
  }

  /** The packet and UDP sockets in the client's namespace. */
  get sockets(): string {
    return this.client.run("ss", "-H", "--packet", "--udp", "--all");
  }

  /** Its lines: end, MAC address, address, host name, client identifier. */
  get dnsmasqLeases(): string {
    return readFileSync(join(this.folder, "dnsmasq.leases"), "utf8");
  }

  /** BusyBox's udhcpd, which knows leases of seconds. */
  async udhcpd(seconds: number): Promise<Server> {
    const path = join(this.folder, "udhcpd.conf");
    const lines = [
      ...["start 10.9.0.10", "end 10.9.0.20", "interface br0", `lease_file ${this.folder}/udhcpd.leases`],
      ...[`pidfile ${this.folder}/udhcpd.pid`, "min_lease 1", `option lease ${seconds}`],
      ...["option subnet 255.255.255.0", "option router 10.9.0.1"],
    ];
    writeFileSync(join(this.folder, "udhcpd.leases"), "");
    writeFileSync(path, `${lines.join("\n")}\n`);
    const server = new Server(this.#t, this.server, "busybox", "udhcpd", "-f", "-a", "1", path);
    await server.says(/started/);
    return server;
  }

  #plug(space: TestNamespace, name: string): void {
    const port = `p${space.name.slice(-8)}`;
    const peer = ["type", "veth", "peer", name, "netns", space.name];
    this.server.run("ip", "link", "add", port, "master", "br0", "up", ...peer);
  }

  #plugChild(kind: Kind): void {
    const host = this.bystander();
    const mode = kind === "macvlan" ? "bridge" : "l2";
    host.run("ip", "link", "add", "link", "eth0", "name", "child", "type", kind, "mode", mode);
    host.run("ip", "link", "set", "child", "netns", this.client.name, "name", "eth0");
  }

  #apply(address: Cidr | undefined): void {
    const [before, link] = [this.#address, this.client.link("eth0")];
    if (before && (!address || !before.equals(address)))
      this.client.socket.execute([removeAddress(link, { cidr: before })]);
    if (address && !before?.equals(address))
      this.client.socket.execute([addAddress(link, { cidr: address })]);
    this.#address = address;
  }

  #tell(what: string): void {
    this.told.push({ what, heard: this.heard.splice(0) });
  }

  /** Writes down what clients say. */
  #monitor(): Watch {
    const { host, fd } = this.server;
    const netns = new Namespace(host, fd);
    const link = this.server.link("br0");
    const monitor = openPacketSocket({ netns, link }, ETH_P_IP, [[Bpf.Return, 0, 0, WHOLE]]);
    const watch = this.loop.watch(monitor, () => {
      const frame = new Uint8Array(2048);
      const length = host.sys.recv(monitor, frame, 0);
      const datagram = length > 0 ? decodeUdp(frame.subarray(14, length)) : undefined;
      if (datagram?.destinationPort !== SERVER_PORT) return;
      const type = messageType(decodeMessage(datagram.payload));
      const [name] = Object.entries(MessageType).find(([, number]) => number === type)!;
      const cast = frame.subarray(0, 6).every((byte) => byte === 255) ? "broadcast" : "unicast";
      this.heard.push(`${name.toUpperCase()} to ${datagram.destination} by ${cast}`);
    });
    return {
      stop: () => {
        watch.stop();
        host.close(monitor);
      },
    };
  }
}
