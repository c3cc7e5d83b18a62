// dockerd in a world, and containers without a network that `plumb` attaches.
import assert from "node:assert/strict";
import { type Program, until } from "../e2e/program.ts";
import type { Outcome, Scope } from "../e2e/world.ts";
import { plumb } from "../programs.ts";
import { IMAGE, PAGE } from "./image.ts";
import { bridged, portmap } from "./networks.ts";
import { IMAGE_ARCHIVE, RuntimeHost, side } from "./runtime-host.ts";

const SOCKET = "/run/docker.sock";
/** Docker keeps away from the host's network. */
export const ALOOF = ["--bridge=none", "--iptables=false"];
/** What docker tells of a container that runs: the path of its network namespace. */
const SANDBOX_KEY = "{{.NetworkSettings.SandboxKey}}";

/** For one network: a bridge, and ports of the host. */
export const office = bridged("office", { subnets: ["10.88.0.0/24"] }, portmap);

export class Docker {
  readonly host: RuntimeHost;
  readonly daemon: Program;

  private constructor(host: RuntimeHost, daemon: Program) {
    this.host = host;
    this.daemon = daemon;
  }

  /** A machine with dockerd, the image, the network `office`, and `docker` and `plumb` on its PATH. */
  static async start(t: Scope, settings: readonly string[] = ALOOF, plugins = side): Promise<Docker> {
    const host = await RuntimeHost.boot(t, ["runtimes"], plugins);
    for (const [name, file] of [
      ["plumb", plumb],
      // Before any other of that name.
      ["docker", "/usr/bin/docker"],
    ] as const)
      host.must("ln", "--symbolic", "--force", file, `/usr/local/bin/${name}`);
    const command = ["/usr/sbin/dockerd", "--data-root=/var/tmp/docker", ...settings];
    const docker = new Docker(host, await host.daemon(t, command, SOCKET));
    await docker.daemon.until("an answer of dockerd", () => host.exec(["docker", "version"]).code === 0, 60);
    host.must("docker", "load", "--quiet", "--input", IMAGE_ARCHIVE);
    host.network("10-office", office);
    return docker;
  }

  must(...words: string[]): string {
    return this.host.must("docker", ...words).trim();
  }

  /** Runs the image with its web server, without a network. */
  run(name: string, ...options: string[]): void {
    this.must("run", "--detach", "--net=none", `--name=${name}`, ...options, IMAGE);
  }

  /** The path of a container's network namespace. */
  netns(name: string): string {
    return this.must("inspect", "--format", SANDBOX_KEY, name);
  }

  /** `plumb VERB`, with ports `HOST:CONTAINER` as CAP_ARGS. */
  plumb(words: readonly string[], ports: readonly string[] = []): Outcome {
    const portMappings = ports.map((port) => {
      const [hostPort, containerPort] = port.split(":").map(Number);
      return { hostPort, containerPort, protocol: "tcp" };
    });
    const env = portMappings.length > 0 ? { CAP_ARGS: JSON.stringify({ portMappings }) } : {};
    return this.host.exec(["plumb", ...words], { env });
  }

  /** `plumb` that must not fail; what it printed. */
  succeed(words: readonly string[], ports: readonly string[] = []): string {
    const { code, stdout, stderr } = this.plumb(words, ports);
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" }, `plumb ${words.join(" ")}`);
    return stdout;
  }

  /** `plumb add --id NAME` of a container that runs; its address. */
  attach(name: string, ports: readonly string[] = [], network = "office"): string {
    const printed = this.succeed(["add", "--id", name, network, this.netns(name)], ports);
    return JSON.parse(printed).ips[0].address.replace(/\/.*/, "");
  }

  /** What a web server answers to curl on the host, or on another machine of its. */
  curl(url: string, ...at: string[]): string {
    return this.host.exec([...at, "curl", "--silent", "--max-time", "10", `http://${url}`]).stdout;
  }

  /** The same to a program in a container. */
  wget(name: string, url: string): string {
    return this.host.exec(["docker", "exec", name, "timeout", "10", "wget", "-q", "-O-", `http://${url}`])
      .stdout;
  }

  /** Waits until a container's web server listens, asked from within. */
  async serves(name: string): Promise<void> {
    await until(`the web server of ${name}`, () => this.wget(name, "127.0.0.1") === PAGE, { seconds: 60 });
  }

  /** The addresses of an interface, as programs in the container see them. */
  addresses(name: string, ifName = "eth0"): string[] {
    const shown = this.must("exec", name, "ip", "-4", "-o", "address", "show", "dev", ifName);
    return [...shown.matchAll(/inet (\S+)/g)].map(([, address]) => address!);
  }

  /** What a network leaves behind for its next container (its bridge, chains), once it has had one. */
  used(network = "office"): string[] {
    this.host.must("ip", "netns", "add", "scratch");
    this.succeed(["add", network, "/run/netns/scratch"], network === office.name ? ["8079:80"] : []);
    this.succeed(["del", network, "/run/netns/scratch"]);
    this.host.must("ip", "netns", "delete", "scratch");
    return this.left();
  }

  /** All that containers may leave behind. */
  left(): string[] {
    return this.host.remains();
  }
}
