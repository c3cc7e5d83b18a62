// A machine of its own for a container runtime: namespaces, cgroups and an empty /var/lib, with the packages of
// dist/runtimes laid over /usr and /etc, and the plugins under test where runtimes look for plugins.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { TestContext } from "node:test";
import { Program } from "../e2e/program.ts";
import { type Json, type Outcome, ourPlugins, ready, reference, type Scope, World } from "../e2e/world.ts";
import { root } from "../root.ts";
import { Cgroups } from "./cgroups.ts";
import { writeImage } from "./image.ts";

/** Whose plugins the runtimes run: `PLUGINS` says `ours` (default), `reference` or `reference-next`. */
export const side = process.env["PLUGINS"] ?? "ours";

/** Where runtimes look for plugins; Debian's podman and buildah in the second one. */
const PLUGIN_FOLDERS = ["/opt/cni/bin", "/usr/lib/cni"];
/** The archive of the image in the world. */
export const IMAGE_ARCHIVE = "/run/image.tar";

const BEYOND = "203.0.113.2";
const CURL = ["curl", "--silent", "--show-error", "--max-time", "20"];
const PATIENTLY = ["--retry", "30", "--retry-connrefused", "--retry-delay", "1"];

/** Folders like a root file system, laid over the machine's; the first is uppermost. */
export type Layers = readonly ("runtimes" | "next/runtimes")[];

/** For tests that need programs of packages which may not be had: `{ skip }`, false if all are there. */
export function withPrograms(
  programs: readonly string[],
  layers: Layers = ["runtimes"],
): { skip: string | false } {
  const folders = ["/", ...layers.map((layer) => join(root, "dist", layer))];
  const found = (program: string) =>
    ["usr/bin", "usr/sbin"].some((bin) => folders.some((folder) => existsSync(join(folder, bin, program))));
  const missing = [
    ...programs.filter((program) => !found(program)),
    // Else an older one would be tested under a newer one's name.
    ...layers.filter((layer) => layer !== "runtimes" && !existsSync(join(root, "dist", layer))),
    ...(pluginsOf(side) === undefined ? [`the plugins of ${side}`] : []),
  ];
  return {
    skip: missing.length > 0 && `NOT RUN: ${missing.join(", ")} could not be had (scripts/setup tests)`,
  };
}

/** A side's folder of plugins; undefined for ours, which a test has in a folder of its own, and for what is missing. */
function pluginsOf(name: string): string | undefined {
  switch (name) {
    case "ours":
      return "";
    case "reference":
      return reference;
    case "reference-next": {
      const folder = join(root, "dist/next/reference/usr/lib/cni");
      return existsSync(join(folder, "bridge")) ? folder : undefined;
    }
    default:
      throw new Error(`PLUGINS=${name}: it is ours, reference or reference-next`);
  }
}

/** A booted machine. */
export class RuntimeHost extends World {
  readonly #init: number;

  private constructor(bin: string, enter: readonly string[], init: number) {
    super(bin, enter);
    this.#init = init;
  }

  static async boot(t: Scope, layers: Layers = ["runtimes"], plugins = side): Promise<RuntimeHost> {
    const cgroups = new Cgroups();
    const bin = ourPlugins(t);
    const script = bootScript(layers, cgroups, pluginsOf(plugins) || bin);
    const namespaces = [
      "--mount",
      "--net",
      "--pid",
      "--ipc",
      "--uts",
      "--cgroup",
      "--propagation",
      "private",
    ];
    const [program, ...args] = cgroups.joining([
      "unshare",
      ...namespaces,
      ...["--fork", "--kill-child", "--mount-proc", "sh", "-ec", script],
    ]);
    // Its stdin ends with this process, however that ends; with it goes the first process, and with that all others.
    const holder = spawn(program!, args, { stdio: ["pipe", "pipe", "inherit"] });
    const gone = new Promise((resolve) => holder.on("close", resolve));
    t.after(async () => {
      holder.kill("SIGKILL");
      await gone;
      await cgroups.remove();
    });
    await ready(holder);
    const init = Number(readFileSync(`/proc/${holder.pid}/task/${holder.pid}/children`, "utf8"));
    const enter = cgroups.joiningLeaf(["nsenter", "--target", `${init}`, "--all", "--"]);
    const host = new RuntimeHost(bin, enter, init);
    host.must("mkdir", "-p", "/etc/cni/net.d");
    writeImage(`/proc/${init}/root${IMAGE_ARCHIVE}`);
    return host;
  }

  /** A file of the world, for who is outside: sockets too. */
  path(inside: string): string {
    return `/proc/${this.#init}/root${inside}`;
  }

  write(path: string, content: string): void {
    this.exec(["sh", "-c", 'mkdir -p "$(dirname "$1")" && cat > "$1"', "sh", path], { input: content });
  }

  /** Puts a network configuration list where runtimes look. */
  network(file: string, list: object): void {
    this.write(`/etc/cni/net.d/${file}.conflist`, JSON.stringify(list));
  }

  /** A host beyond `uplink` that has no route to containers: they reach it, and its web page, masqueraded. */
  beyond(): { readonly address: string; curl(url: string): Outcome } {
    const script = `ip netns add beyond
      ip link add uplink type veth peer name eth0 netns beyond
      ip addr add 203.0.113.1/24 dev uplink && ip link set uplink up
      ip -n beyond addr add ${BEYOND}/24 dev eth0 && ip -n beyond link set eth0 up && ip -n beyond link set lo up`;
    this.must("sh", "-ec", script);
    return { address: BEYOND, curl: (url) => this.curl(url, "/run/netns/beyond") };
  }

  /** Asks for a page, until its server listens; from another namespace where `netns` is its path. */
  curl(url: string, netns?: string): Outcome {
    return this.exec([
      ...(netns === undefined ? [] : ["nsenter", `--net=${netns}`]),
      ...CURL,
      ...PATIENTLY,
      url,
    ]);
  }

  /** Whether somebody answers at once. */
  answers(url: string): boolean {
    return this.exec([...CURL, url]).code === 0;
  }

  /** All that containers may leave behind, a line each: what plugins keep, results that runtimes keep, namespaces. */
  remains(): string[] {
    const folders = ["/run/netns", "/run/cni", "/var/lib/cni/results", "/var/lib/cni/cache"];
    const state: Readonly<Record<string, readonly Json[]>> = {
      ...this.state(),
      more: this.exec(["find", ...folders, "-type", "f"])
        .stdout.trim()
        .split("\n"),
    };
    const lines = Object.entries(state).flatMap(([what, things]) =>
      things.map((thing) => `${what} ${JSON.stringify(thing)}`),
    );
    return lines.sort();
  }

  /** A case after which the machine must be as it was. `tidy` takes away what one that fails leaves. */
  leftAsItWas(tidy: () => void, body: (t: TestContext) => void | Promise<void>) {
    return async (t: TestContext): Promise<void> => {
      const before = this.remains();
      try {
        await body(t);
        assert.deepEqual(this.remains(), before);
      } finally {
        tidy();
      }
    };
  }

  /** What must succeed, without a word of complaint. */
  quietly(...command: string[]): string {
    const { code, stdout, stderr } = this.exec(command);
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" }, command.join(" "));
    return stdout.trim();
  }

  /** As `exec`, while other things go on. */
  async run(command: readonly string[]): Promise<Outcome> {
    const [program, ...args] = this.entering(command);
    const child = spawn(program!, args, { stdio: ["ignore", "pipe", "pipe"] });
    const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
    return { code: await ended, stdout, stderr };
  }

  /** Starts a daemon, which lives until the world ends, and waits until it answers at its unix socket. */
  async daemon(t: Scope, command: readonly string[], socket: string): Promise<Program> {
    const program = new Program(t, this, ["setpriv", "--pdeathsig", "KILL", "--", ...command]);
    await program.until(`${socket}`, () => this.exec(["test", "-S", socket]).code === 0, 60);
    return program;
  }
}

function bootScript(layers: Layers, cgroups: Cgroups, plugins: string): string {
  const existing = (folder: string) => {
    const all = layers.map((layer) => join(root, "dist", layer, folder)).filter((path) => existsSync(path));
    return [...all, `/${folder}`].join(":");
  };
  const overlay = (folder: string) => `
    mkdir -p /run/layers/${folder}/upper /run/layers/${folder}/work
    mount -t overlay overlay -o lowerdir=${existing(folder)},upperdir=/run/layers/${folder}/upper,workdir=/run/layers/${folder}/work /${folder}`;
  return `
    mount -t tmpfs -o mode=755 run /run
    ${overlay("usr")}
    ${overlay("etc")}
    # /dev/shm: podman keeps its locks there, of all its containers on a machine.
    for folder in /var/lib /var/tmp /var/log /opt /dev/shm; do mount -t tmpfs tmpfs $folder; done
    # What the machine's own runtimes are told is not for the world's.
    rm -rf /etc/docker/daemon.json /etc/containers/containers.conf /etc/containers/containers.conf.d
    [ ! -d /etc/cni/net.d ] || find /etc/cni/net.d -mindepth 1 ! -name 87-podman-bridge.conflist -delete
    mkdir -p /var/lib/cni /run/lock /run/netns
    mount --bind /run/netns /run/netns
    mount --make-shared /run/netns
    for folder in ${PLUGIN_FOLDERS.join(" ")}; do mkdir -p $folder; done
    for folder in ${PLUGIN_FOLDERS.join(" ")}; do mount --bind ${plugins} $folder; done
    mount -t sysfs sysfs /sys
    ${cgroups.mountScript()}
    ip link set lo up
    echo ready
    # This shell is the first process, and buries the orphans while it waits.
    cat -
    exit`;
}
