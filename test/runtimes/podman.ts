// podman in a world. There is no daemon: each command does the whole, and what a container's monitor does when it ends.
import { basename } from "node:path";
import type { TestContext } from "node:test";
import { outside } from "../e2e/answering.ts";
import { until } from "../e2e/program.ts";
import { Container, type Json, type Outcome, type Scope, type World } from "../e2e/world.ts";
import { IMAGE } from "./image.ts";
import { IMAGE_ARCHIVE, RuntimeHost, side } from "./runtime-host.ts";

export const PODMAN_PROGRAMS = ["podman", "conmon", "runc", "curl"];

/** What has podman and buildah take our networks. */
export const CNI_BACKEND = `[network]
network_backend = "cni"
cni_plugin_dirs = ["/opt/cni/bin"]
`;

/** What the world is: it has no systemd, no journal, and another runtime than Debian's first choice. */
export const MACHINE = `[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
`;

/** Boots a machine on which podman and buildah run; `backend` are the settings of their networks. */
export async function bootForContainers(
  t: Scope,
  backend = CNI_BACKEND,
  plugins = side,
): Promise<RuntimeHost> {
  const host = await RuntimeHost.boot(t, ["runtimes"], plugins);
  host.write("/etc/containers/containers.conf.d/machine.conf", MACHINE);
  if (backend !== "") host.write("/etc/containers/containers.conf", backend);
  return host;
}

/**
 * The environment in which podman and buildah call plugins that do something before their work: a line of shell, in
 * which $name is the plugin's.
 */
export function beforeEachPlugin(host: RuntimeHost, line: string): Record<string, string> {
  const folder = "/run/wrapped";
  for (const name of host.must("ls", "/opt/cni/bin").trim().split("\n"))
    host.write(`${folder}/${name}`, `#!/bin/sh\nname=${name}\n${line}\nexec /opt/cni/bin/${name}\n`);
  host.must("chmod", "-R", "+x", folder);
  const settings = `${MACHINE}${CNI_BACKEND.replace("/opt/cni/bin", folder)}`;
  host.write(`${folder}.conf`, settings);
  return { CONTAINERS_CONF: `${folder}.conf` };
}

/** A command that serves `name` as a web page. */
export const serving = (name: string, port = 80): string[] => [
  "sh",
  "-c",
  `mkdir -p /pages-${port} && echo ${name} > /pages-${port}/index.html && exec httpd -f -p ${port} -h /pages-${port}`,
];

/** What is shown at a URL to who asks from the host, or from a container's namespace; "" if nothing is. */
export function page(from: World | Container, url: string, seconds = 5): string {
  const command = ["curl", "--silent", "--globoff", "--max-time", `${seconds}`, url];
  return (from instanceof Container ? from.exec(...command) : from.exec(command)).stdout.trim();
}

/** Waits until this page is shown: its server may have to start yet. */
export async function shows(from: World | Container, url: string, expected: string): Promise<void> {
  await until(`${expected} at ${url}`, () => page(from, url, 1) === expected, {
    explain: () => `it is ${JSON.stringify(page(from, url))}`,
  });
}

export class Podman {
  readonly host: RuntimeHost;
  /** A machine on another network of the host, 192.0.2.2 and fd99::2, which knows no way to containers. */
  readonly outside: Container;

  private constructor(host: RuntimeHost) {
    this.host = host;
    this.outside = outside(host);
  }

  /** Loads the image, and warms up. */
  static async start(t: Scope, plugins = side): Promise<Podman> {
    const podman = new Podman(await bootForContainers(t, CNI_BACKEND, plugins));
    podman.must("load", "--quiet", "--input", IMAGE_ARCHIVE);
    podman.warmUp();
    return podman;
  }

  /** Has the plugins make what they make once for a machine, and for each length of prefix that tests use. */
  warmUp(): void {
    this.network("first", "--ipv6", "--subnet=10.96.0.0/24", "--subnet=fd96::/64", "--opt=isolate=true");
    for (const net of ["podman", "first"])
      this.must("run", "--rm", "--net", net, "--publish=1:1", "--publish=1:1/udp", IMAGE, "true");
    this.must("network", "rm", "first");
  }

  exec(...args: string[]): Outcome {
    return this.host.exec(["podman", ...args]);
  }

  /** What must succeed, without a word of complaint. */
  must(...args: string[]): string {
    return this.host.quietly("podman", ...args);
  }

  /** As `exec`, while other things go on. */
  async run(...args: string[]): Promise<Outcome> {
    return await this.host.run(["podman", ...args]);
  }

  /** Makes a network; gives the configuration that podman wrote for it. */
  network(name: string, ...options: string[]): Json {
    this.must("network", "create", ...options, name);
    return JSON.parse(this.host.read(`/etc/cni/net.d/${name}.conflist`));
  }

  /** Starts a container that serves its name as a web page, at port 80. */
  serve(name: string, ...options: string[]): Container {
    this.must("run", "--detach", "--name", name, ...options, IMAGE, ...serving(name));
    return this.container(name);
  }

  /** The network namespace of a running container. */
  container(name: string): Container {
    return new Container(this.host, basename(this.inspect(name, ".NetworkSettings.SandboxKey")));
  }

  inspect(name: string, what: string): string {
    return this.must("inspect", "--format", `{{${what}}}`, name);
  }

  /** Removes containers, running ones too. */
  remove(...names: string[]): void {
    this.must("rm", "--force", "--time=0", ...names);
  }

  /** A case after which the machine must be as it was. What one that fails leaves is taken away. */
  case(body: (t: TestContext) => void | Promise<void>): (t: TestContext) => Promise<void> {
    const tidy = () => {
      this.exec("pod", "rm", "--force", "--all", "--time=0");
      this.exec("rm", "--force", "--all", "--time=0");
      this.exec("network", "prune", "--force");
    };
    return this.host.leftAsItWas(tidy, body);
  }
}
