// containerd in a world: its daemon, and ctr.
import type { Program } from "../e2e/program.ts";
import type { Outcome, Scope } from "../e2e/world.ts";
import { IMAGE } from "./image.ts";
import { IMAGE_ARCHIVE, type Layers, type RuntimeHost, withPrograms } from "./runtime-host.ts";

/** The releases that are tested, and where their programs are. */
export const RELEASES: Readonly<Record<string, Layers>> = {
  containerd: ["runtimes"],
  "the next release's containerd": ["next/runtimes", "runtimes"],
};

export const CONTAINERD_PROGRAMS = ["containerd", "ctr", "runc"];

/** For tests of one. */
export function withContainerd(layers: Layers) {
  return withPrograms(CONTAINERD_PROGRAMS, layers);
}

const SOCKET = "/run/containerd/containerd.sock";
const CONFIG = "/etc/containerd/test.toml";

export interface ContainerdSettings {
  /** How many networks the CRI attaches a pod to: the first files of /etc/cni/net.d. */
  readonly networks?: number;
  /** More of its environment, which is that of the plugins. */
  readonly env?: Readonly<Record<string, string>>;
}

export class Containerd {
  readonly host: RuntimeHost;
  readonly daemon: Program;

  private constructor(host: RuntimeHost, daemon: Program) {
    this.host = host;
    this.daemon = daemon;
  }

  /** Starts the daemon, and loads the image for ctr and for the CRI. */
  static async start(t: Scope, host: RuntimeHost, settings: ContainerdSettings = {}): Promise<Containerd> {
    // It comes with podman, and would be every pod's network.
    host.must("rm", "-f", "/etc/cni/net.d/87-podman-bridge.conflist");
    const version = host.must("containerd", "--version").includes(" 1.") ? 1 : 2;
    host.write(CONFIG, version === 1 ? configOne(settings) : configTwo(settings));
    const containerd = new Containerd(host, await startDaemon(t, host, settings.env));
    for (const namespace of ["default", "k8s.io"])
      host.must("ctr", "--namespace", namespace, "images", "import", IMAGE_ARCHIVE);
    return containerd;
  }

  /** Where the CRI listens too, for who is outside. */
  get socket(): string {
    return this.host.path(SOCKET);
  }

  /** As by kill -9: containers go on. */
  async kill(): Promise<void> {
    await this.daemon.stop("SIGKILL");
  }

  /** `ctr run --rm --cni`: a container lives as long as the command. */
  async run(id: string, ...command: string[]): Promise<Outcome> {
    return this.host.run(["ctr", "run", "--rm", "--cni", IMAGE, id, ...command]);
  }
}

/** Starts the daemon with the settings that are there. */
export async function startDaemon(
  t: Scope,
  host: RuntimeHost,
  env: ContainerdSettings["env"] = {},
): Promise<Program> {
  // One that was killed has left it.
  await host.run(["rm", "-f", SOCKET]);
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  return host.daemon(t, ["env", ...variables, "containerd", "--config", CONFIG], SOCKET);
}

function configOne({ networks = 1 }: ContainerdSettings): string {
  return `version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${IMAGE}"
  restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
  max_conf_num = ${networks}
`;
}

function configTwo({ networks = 1 }: ContainerdSettings): string {
  return `version = 3
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "${IMAGE}"
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
[plugins."io.containerd.cri.v1.runtime".cni]
  max_conf_num = ${networks}
`;
}
