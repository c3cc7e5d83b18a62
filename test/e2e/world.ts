// A host of its own for one test: network and mount namespaces, in which /run and /var/lib/cni are empty, and a folder
// of plugins that are links to plumb. Nothing outlives it.
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import type { TestContext } from "node:test";
import { pluginTypes } from "../../src/plugins/registry.ts";
import { plumb } from "../programs.ts";

export type Verb = "ADD" | "CHECK" | "DEL" | "STATUS" | "GC";

// biome-ignore lint/suspicious/noExplicitAny: what programs print, and what tests send to see it refused
export type Json = any;

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Settings {
  readonly input?: string;
  /** Besides PATH. */
  readonly env?: Readonly<Record<string, string>>;
}

/** What a plugin printed; undefined if that was nothing. */
export interface Answer {
  readonly code: number | null;
  readonly output: Json;
}

/** How a plugin is called. Unless told, with the container's path, `eth0`, and our plugins in CNI_PATH. */
export interface CallSettings {
  readonly ifName?: string | undefined;
  readonly netns?: string | undefined;
  readonly args?: string | undefined;
  /** CNI_PATH; the plugin itself is its first executable of that name. */
  readonly path?: string | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Put before the plugin's path, as `strace`. */
  readonly wrap?: readonly string[] | undefined;
  readonly prevResult?: Json;
}

/** The folder of the reference plugins, undefined where they are not installed. */
export const reference = ["/usr/lib/cni", "/opt/cni/bin"].find(
  (folder) => existsSync(join(folder, "bridge")) && !realpathSync(join(folder, "bridge")).includes("plumb"),
);

/** For tests that need them. */
export const besideReference = { skip: reference === undefined && "the reference plugins are not installed" };

/** A container's namespace and what is seen in it. */
export class Container {
  readonly world: World;
  readonly id: string;
  readonly netns: string;

  constructor(world: World, id: string) {
    this.world = world;
    this.id = id;
    this.netns = `/run/netns/${id}`;
  }

  exec(...command: string[]): Outcome {
    return this.world.exec(["ip", "netns", "exec", this.id, ...command]);
  }

  /** What must not fail. */
  must(...command: string[]): string {
    return this.world.must("ip", "netns", "exec", this.id, ...command);
  }

  ip(...args: string[]): Json[] {
    return this.world.ip("-n", this.id, ...args);
  }

  /** The interface as `ip address show` has it; undefined if there is none. */
  link(ifName = "eth0"): Json {
    return this.ip("address", "show").find(({ ifname }) => ifname === ifName);
  }

  /** Its addresses but those that IPv6 makes by itself. */
  addresses(ifName = "eth0"): string[] {
    return addressesOf(this.link(ifName));
  }

  /** `dst via gateway dev link` of all IPv4 or IPv6 routes but those of IPv6 itself. */
  routes(family: 4 | 6 = 4): string[] {
    return this.ip(`-${family}`, "route", "show")
      .filter(({ dst }) => !/^(fe80|ff00|multicast)/.test(dst))
      .map(({ dst, gateway, dev }) => `${dst}${gateway ? ` via ${gateway}` : ""} dev ${dev}`);
  }

  /** Whether an answer comes; `seconds` is how long a missing one is waited for. */
  pings(address: string, seconds = 5): boolean {
    return this.exec("ping", "-c", "1", "-W", String(seconds), address).code === 0;
  }

  /** The namespace goes, as when its last process does. */
  vanish(): void {
    this.world.must("ip", "netns", "delete", this.id);
  }
}

/** What ends at some time, and what is to be done then: a test, or a measurement. */
export type Scope = Pick<TestContext, "after">;

/** A folder with our plugins until the test ends: a CNI_PATH. */
export function ourPlugins(t: Scope): string {
  const bin = mkdtempSync(join(tmpdir(), "plumb-world-"));
  t.after(() => rmSync(bin, { recursive: true }));
  for (const name of pluginTypes) symlinkSync(plumb, join(bin, name));
  return bin;
}

/** Waits until the script that holds a world says `ready`. */
export async function ready(holder: ChildProcess): Promise<void> {
  for await (const line of createInterface(holder.stdout!)) {
    assert.equal(line, "ready");
    return;
  }
  assert.fail("a world ended before it was ready");
}

export class World {
  /** Our plugins: a CNI_PATH. */
  readonly bin: string;
  /** What runs a command in the world when it stands before it. */
  readonly #enter: readonly string[];

  protected constructor(bin: string, enter: readonly string[]) {
    this.bin = bin;
    this.#enter = enter;
  }

  static async start(t: TestContext): Promise<World> {
    const bin = ourPlugins(t);
    const script =
      "mount -t tmpfs run /run && mkdir -p /var/lib/cni && mount -t tmpfs lib /var/lib/cni && ip link set lo up && echo ready && exec cat -";
    const holder = spawn("unshare", ["--mount", "--net", "--propagation", "private", "sh", "-ec", script], {
      // Its stdin ends with this process, however that ends.
      stdio: ["pipe", "pipe", "inherit"],
    });
    t.after(() => holder.kill());
    await ready(holder);
    return new World(bin, ["nsenter", "--target", `${holder.pid}`, "--mount", "--net", "--"]);
  }

  /** A container with an empty network namespace. */
  container(id = "c1"): Container {
    this.must("ip", "netns", "add", id);
    return new Container(this, id);
  }

  exec(command: readonly string[], { input, env }: Settings = {}): Outcome {
    const [program, ...args] = this.entering(command);
    const { status, stdout, stderr } = spawnSync(program!, args, {
      ...(input !== undefined && { input }),
      env: { PATH: process.env["PATH"], ...env },
      encoding: "utf8",
    });
    return { code: status, stdout, stderr };
  }

  /** What must not fail. */
  must(...command: string[]): string {
    const { code, stdout, stderr } = this.exec(command);
    assert.equal(code, 0, `${command.join(" ")}: ${stderr}${stdout}`);
    return stdout;
  }

  /** Starts a program that runs beside the test, until the test ends. */
  spawn(t: TestContext, ...command: string[]) {
    const [program, ...args] = this.entering(command);
    const child = spawn(program!, args, { stdio: ["pipe", "pipe", "inherit"] });
    t.after(() => child.kill());
    return child;
  }

  /** The command line that runs a command in the world. */
  entering(command: readonly string[]): string[] {
    return [...this.#enter, ...command];
  }

  /** What iproute2 prints of objects. */
  ip(...args: string[]): Json[] {
    const printed = this.must("ip", "-j", "-d", ...args);
    return printed.trim() === "" ? [] : JSON.parse(printed);
  }

  /** A link of the host as `ip address show` has it; undefined if there is none. */
  link(name: string): Json {
    return this.ip("address", "show").find(({ ifname }) => ifname === name);
  }

  addresses(name: string): string[] {
    return addressesOf(this.link(name));
  }

  /** The bridge's settings for a port. */
  port(name: string): Json {
    return JSON.parse(this.must("bridge", "-j", "-d", "link", "show", "dev", name))[0];
  }

  /** The host's ends of veth pairs. */
  veths(): string[] {
    return this.ip("link", "show", "type", "veth").map(({ ifname }) => ifname);
  }

  /** All rules of nftables, those of iptables on nftables included: a line each, with what they belong to, without counts. */
  rules(): string[] {
    const { nftables } = JSON.parse(this.must("nft", "-j", "list", "ruleset"));
    return nftables.flatMap(({ rule, chain }: Json) => {
      if (chain && !chain.hook) return [`chain ${chain.family} ${chain.table} ${chain.name}`];
      if (!rule) return [];
      const { family, table, chain: of, comment, expr } = rule;
      const text = JSON.stringify(expr).replaceAll(/"packets":\d+,"bytes":\d+/g, "");
      return [`${family} ${table} ${of} ${comment ?? ""} ${text}`];
    });
  }

  /** All elements of the sets and maps of nftables: a line each, with what they belong to. */
  elements(): string[] {
    const { nftables } = JSON.parse(this.must("nft", "-j", "list", "ruleset"));
    return nftables.flatMap(({ set, map }: Json) => {
      const { family, table, name, elem = [] } = set ?? map ?? {};
      return elem.map((one: Json) => `${family} ${table} ${name} ${JSON.stringify(one)}`).sort();
    });
  }

  /** Comments of the rules that masquerade by nftables. */
  masqueraded(): string[] {
    const { code, stdout } = this.exec([
      "nft",
      "-j",
      "list",
      "chain",
      "inet",
      "cni_plugins_masquerade",
      "masq_checks",
    ]);
    if (code !== 0) return [];
    return JSON.parse(stdout).nftables.flatMap(({ rule }: Json) => (rule ? [rule.comment] : []));
  }

  /** What iptables-save (or ip6tables-save) prints of a table, but the policies. */
  iptables(program = "iptables-save", table = "nat"): string[] {
    return this.must(program, "-t", table)
      .split("\n")
      .filter((line) => line.startsWith("-A") || /^:CNI/.test(line));
  }

  /** Addresses that host-local keeps for a network, and for whom. */
  reserved(network = "net"): Record<string, string> {
    const folder = `/var/lib/cni/networks/${network}`;
    const { stdout } = this.exec(["sh", "-c", `cd ${folder} && grep -H -v ^$ [0-9a-f]*[.:]*`]);
    const held: Record<string, string> = {};
    for (const line of stdout.split("\n").filter((each) => each !== "")) {
      const [, address, content] = /^(.*?):([^:]*)$/.exec(line)!;
      held[address!] = `${held[address!] ?? ""}${content!.replace("\r", " ")}`;
    }
    return held;
  }

  read(path: string): string {
    return this.must("cat", path);
  }

  /** All that a plugin may leave behind: links, addresses, routes, rules, queues, reservations. */
  state(): Json {
    const links = this.ip("address", "show").map(({ ifname, master, addr_info }) => ({
      ifname,
      master,
      addresses: addressesOf({ addr_info }),
    }));
    // Those of link-local addresses and multicast come and go with the carrier, others with addresses.
    const byItself = ["local", "anycast", "broadcast", "multicast"];
    const routes = this.ip("route", "show", "table", "all")
      .filter(({ dst, type }) => !byItself.includes(type) && !/^(fe80|ff00)/.test(dst))
      .map(({ dst, gateway, dev }) => [dst, gateway, dev]);
    const script = `cat /proc/net/ip_tables_names /proc/net/ip6_tables_names
      find /var/lib/cni/networks -path "*/.plumb" -prune -o -type f -print | grep -vE "/(lock|last_reserved_ip.[0-9]+)$"`;
    const files = this.exec(["sh", "-c", script]).stdout.split("\n");
    const policies = [...this.ip("-4", "rule", "show"), ...this.ip("-6", "rule", "show")];
    const qdiscs = this.must("tc", "qdisc", "show").split("\n").filter(isMade);
    return {
      links,
      routes,
      policies,
      qdiscs,
      rules: [...this.rules(), ...this.elements()],
      files: files.sort(),
    };
  }

  /** Calls a plugin: the configuration's `type`. */
  call(verb: Verb, config: Json, container?: Container, settings: CallSettings = {}): Answer {
    const { command, input } = this.#pluginCall(verb, config, container, settings);
    const { code, stdout, stderr } = this.exec(command, { input });
    return answerOf(code, stdout, stderr);
  }

  /** As `call`, while other things go on. */
  async start(verb: Verb, config: Json, container?: Container, settings: CallSettings = {}): Promise<Answer> {
    const { command, input } = this.#pluginCall(verb, config, container, settings);
    const [program, ...args] = this.entering(command);
    const child = spawn(program!, args, { stdio: ["pipe", "pipe", "pipe"] });
    const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
    child.stdin.on("error", () => {}).end(input);
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
    return answerOf(await ended, stdout, stderr);
  }

  #pluginCall(verb: Verb, config: Json, container: Container | undefined, settings: CallSettings) {
    const { ifName = "eth0", netns, args, path = this.bin, wrap = [], prevResult } = settings;
    const file = path
      .split(":")
      .map((folder) => join(folder, config.type))
      .find(existsSync);
    const env = {
      PATH: process.env["PATH"],
      CNI_COMMAND: verb,
      CNI_PATH: path,
      ...(container && {
        CNI_CONTAINERID: container.id,
        CNI_NETNS: netns ?? container.netns,
        CNI_IFNAME: ifName,
      }),
      ...(args !== undefined && { CNI_ARGS: args }),
      ...settings.env,
    };
    const entries = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    const stdin = { cniVersion: "1.1.0", name: "net", ...config, ...(prevResult && { prevResult }) };
    return { command: ["env", "-i", ...entries, ...wrap, file ?? config.type], input: JSON.stringify(stdin) };
  }

  /** What must succeed; gives what was printed. */
  #succeed(verb: Verb, config: Json, container?: Container, settings?: CallSettings): Json {
    const { code, output } = this.call(verb, config, container, settings);
    assert.equal(code, 0, `${verb}: ${JSON.stringify(output)}`);
    return output;
  }

  add(config: Json, container: Container, settings?: CallSettings): Json {
    return this.#succeed("ADD", config, container, settings);
  }

  check(config: Json, container: Container, prevResult: Json, settings?: CallSettings): void {
    assert.equal(this.#succeed("CHECK", config, container, { ...settings, prevResult }), undefined);
  }

  del(config: Json, container: Container, settings?: CallSettings): void {
    assert.equal(this.#succeed("DEL", config, container, settings), undefined);
  }

  status(config: Json, settings?: CallSettings): void {
    assert.equal(this.#succeed("STATUS", config, undefined, settings), undefined);
  }

  /** `valid`: container IDs with interface names, `c1/eth0`. */
  gc(config: Json, valid: readonly string[], settings?: CallSettings): void {
    const attachments = valid.map((each) => {
      const [containerID, ifname] = each.split("/");
      return { containerID, ifname };
    });
    this.#succeed("GC", { ...config, "cni.dev/valid-attachments": attachments }, undefined, settings);
  }

  /** What must fail; gives the error object. */
  refused(verb: Verb, config: Json, container?: Container, settings?: CallSettings): Json {
    const { code, output } = this.call(verb, config, container, settings);
    assert.equal(code, 1, `${verb} succeeded: ${JSON.stringify(output)}`);
    assert.equal(typeof output.msg, "string");
    return output;
  }
}

function answerOf(code: number | null, stdout: string, stderr: string): Answer {
  try {
    return { code, output: stdout.trim() === "" ? undefined : JSON.parse(stdout) };
  } catch {
    throw new Error(`a plugin printed ${stdout} and ${stderr}`);
  }
}

/** The kernel gives each link a queue by itself. */
function isMade(qdisc: string): boolean {
  return qdisc !== "" && !/^qdisc (noqueue|fq_codel|pfifo_fast|mq) /.test(qdisc);
}

function addressesOf(link: Json): string[] {
  const addresses: Json[] = link?.addr_info ?? [];
  return addresses
    .filter(({ scope, family }) => family === "inet" || scope !== "link")
    .map(({ local, prefixlen }) => `${local}/${prefixlen}`);
}
