// A runtime as the soak sees it, and who drives it: both go on until it is done, as people and kubelets do.
import type { Json, Outcome } from "../../e2e/world.ts";
import type { Cri } from "../cri.ts";
import { IMAGE } from "../image.ts";
import { CNI_BACKEND, MACHINE } from "../podman.ts";
import { IMAGE_ARCHIVE, type RuntimeHost, side } from "../runtime-host.ts";
import { elsewhere, fixture, type Life } from "./plan.ts";
import type { Random } from "./random.ts";

/** What the runtime tells of a container. */
export interface Told {
  readonly id: string;
  /** The path of its network namespace. */
  readonly netns: string;
  /** Of eth0 or of all interfaces. */
  readonly addresses: readonly string[];
}

export type Count = (what: string, times?: number) => void;

export interface Engine {
  /** Has it run, whatever comes between; gives it, with another port and address if its own could not be had. */
  make(life: Life): Promise<Life>;
  look(life: Life): Promise<Told>;
  /** In one of the ways that there are. */
  remove(life: Life, random: Random): Promise<void>;
  /** Another one in its place, or the same once more. */
  restart(life: Life): Promise<void>;
  /** Kills its process; with `keeper` who watches it too. */
  kill(life: Life, keeper: boolean): Promise<void>;
  /** The IDs of all that it knows of. */
  ids(): Promise<string[]>;
}

/** The reference needs not be waited for: some of what it fails at, it never succeeds at. */
const PATIENCE_MS = side === "ours" ? 120_000 : 20_000;
/** By a container that a killed podman has left, or one that was given this address meanwhile. */
const HELD = /is already in use by|is not available in range/;
const PAUSE_MS = 50;

/** Tries until it succeeds; gives how many times it did not. */
async function persist(what: string, attempt: () => Promise<string>): Promise<number> {
  const said: string[] = [];
  for (const end = Date.now() + PATIENCE_MS; ; await pause()) {
    const trouble = await attempt();
    if (trouble === "") return said.length;
    said.push(trouble);
    if (Date.now() > end) throw new Error(`${what} in vain:\n${said.slice(-3).join("\n")}`);
  }
}

/** What is answered, once it is: a daemon may have been killed. */
async function insist<T>(what: string, call: () => Promise<T>): Promise<T> {
  let answer: { value: T } | undefined;
  await persist(what, () =>
    troubleOf(
      call().then((value) => {
        answer = { value };
      }),
    ),
  );
  return answer!.value;
}

const pause = () => new Promise((resolve) => setTimeout(resolve, PAUSE_MS));

async function troubleOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}

/** Pods of containerd, as a kubelet has them. */
export class Pods implements Engine {
  readonly #cri: Cri;
  readonly #host: RuntimeHost;
  readonly #count: Count;
  readonly #ids = new Map<string, string>();

  constructor(host: RuntimeHost, cri: Cri, count: Count) {
    this.#host = host;
    this.#cri = cri;
    this.#count = count;
  }

  async make(life: Life): Promise<Life> {
    const { name, kind, hostPort } = life;
    const portMappings = kind.protocols.map((protocol) => ({
      protocol: protocol === "tcp" ? ("TCP" as const) : ("UDP" as const),
      containerPort: 80,
      hostPort,
    }));
    const annotations = kind.limited
      ? { "kubernetes.io/ingress-bandwidth": "100M", "kubernetes.io/egress-bandwidth": "100M" }
      : {};
    const failures = await persist(`making ${name}`, async () => {
      const trouble = await troubleOf(
        this.#cri.run(name, { portMappings, annotations }).then((id) => this.#ids.set(name, id)),
      );
      // A kubelet makes another one, and removes what is left of this.
      if (trouble !== "") await this.#clear(name);
      return trouble;
    });
    this.#count("makes repeated", failures);
    return life;
  }

  async look({ name }: Life): Promise<Told> {
    const id = this.#ids.get(name)!;
    const { netns, ips } = await insist(`looking at ${name}`, () => this.#cri.pod(id));
    return { id, netns, addresses: ips };
  }

  async remove({ name }: Life, random: Random): Promise<void> {
    const id = this.#ids.get(name)!;
    const steps = random.pick([
      ["stop", "remove"],
      ["stop", "stop", "remove"],
      ["stop", "remove", "remove"],
      ["remove"],
    ] as const);
    for (const step of steps) await this.#repeat(`${step} ${name}`, () => this.#cri[step](id));
    this.#ids.delete(name);
  }

  async restart(life: Life): Promise<void> {
    await this.#clear(life.name);
    await this.make(life);
  }

  async kill({ name }: Life, keeper: boolean): Promise<void> {
    const { pid } = await insist(`looking at ${name}`, () => this.#cri.pod(this.#ids.get(name)!));
    await this.#host.run([
      "sh",
      "-c",
      keeper ? `kill -KILL $(ps -o ppid= ${pid}) ${pid}` : `kill -KILL ${pid}`,
    ]);
  }

  async ids(): Promise<string[]> {
    return (await insist("listing", () => this.#cri.list())).map(({ id }) => id);
  }

  async #clear(name: string): Promise<void> {
    const pods = await insist("listing", () => this.#cri.list());
    const left = pods.filter((pod) => pod.name === name).map(({ id }) => id);
    for (const id of left) {
      await this.#repeat(`stop ${name}`, () => this.#cri.stop(id));
      await this.#repeat(`remove ${name}`, () => this.#cri.remove(id));
    }
  }

  async #repeat(what: string, call: () => Promise<void>): Promise<void> {
    this.#count("removals repeated", await persist(what, () => troubleOf(call())));
  }
}

/** Containers of podman, as somebody at a shell has them. */
export class Containers implements Engine {
  readonly #host: RuntimeHost;
  readonly #count: Count;

  constructor(host: RuntimeHost, count: Count) {
    this.#host = host;
    this.#count = count;
    host.write("/etc/containers/containers.conf", `${CNI_BACKEND}${MACHINE}`);
    host.must("podman", "load", "--quiet", "--input", IMAGE_ARCHIVE);
  }

  async make(life: Life): Promise<Life> {
    let made = life;
    const failures = await persist(`making ${life.name}`, async () => {
      const trouble = troubleIn(await this.#podman("run", ...optionsOf(made), IMAGE));
      if (trouble !== "") await this.#remove("rm", "--force", "--time=0", life.name);
      if (HELD.test(trouble)) {
        made = elsewhere(made);
        this.#count("ports and addresses that others held");
      }
      return trouble;
    });
    this.#count("makes repeated", failures);
    return made;
  }

  async look({ name }: Life): Promise<Told> {
    const { Id, NetworkSettings } = await this.#inspect(name);
    const networks: Json[] = Object.values(NetworkSettings.Networks);
    const addresses = networks.flatMap(({ IPAddress, GlobalIPv6Address }) => [IPAddress, GlobalIPv6Address]);
    return { id: Id, netns: NetworkSettings.SandboxKey, addresses: addresses.filter((each) => each !== "") };
  }

  async remove({ name }: Life, random: Random): Promise<void> {
    const force = ["rm", "--force", "--time=0", name];
    const stop = ["stop", "--time=0", name];
    const ways = [[force], [force, force], [stop, force], [stop, stop, force], [stop, ["rm", name]]];
    for (const step of random.pick(ways)) await this.#remove(...step);
    // Whatever the last step was, nothing is there for good only now.
    await this.#remove(...force);
  }

  async restart({ name }: Life): Promise<void> {
    await this.#remove("restart", "--time=0", name);
  }

  async kill({ name }: Life, keeper: boolean): Promise<void> {
    const { State } = await this.#inspect(name);
    await this.#host.run(["kill", "-KILL", ...(keeper ? [`${State.ConmonPid}`] : []), `${State.Pid}`]);
  }

  async ids(): Promise<string[]> {
    const { stdout } = await this.#podman("ps", "--all", "--quiet", "--no-trunc");
    return stdout.split("\n").filter((line) => line !== "");
  }

  #podman(...args: string[]): Promise<Outcome> {
    return this.#host.run(["podman", ...args]);
  }

  async #inspect(name: string): Promise<Json> {
    const { code, stdout, stderr } = await this.#podman("inspect", name);
    if (code !== 0) throw new Error(`podman inspect ${name}: ${stderr}`);
    return JSON.parse(stdout)[0];
  }

  async #remove(...command: string[]): Promise<void> {
    const failures = await persist(`podman ${command.join(" ")}`, async () => {
      const trouble = troubleIn(await this.#podman(...command));
      return /no such container|no container with name/i.test(trouble) ? "" : trouble;
    });
    this.#count("removals repeated", failures);
  }
}

function optionsOf(life: Life): string[] {
  const { name, kind, hostPort } = life;
  const { ip, mac } = fixture(life);
  const wishes = kind.fixed ? `,ip=${ip},mac=${mac}` : "";
  // It would take them in any order.
  const networks = kind.networks.map((each, n) => `--network=${each}:interface_name=eth${n}${wishes}`);
  const ports = kind.protocols.flatMap((protocol) => ["-p", `${hostPort}:80/${protocol}`]);
  return ["--detach", "--name", name, "--hostname", name, ...networks, ...ports];
}

function troubleIn({ code, stderr }: Outcome): string {
  return code === 0 ? "" : `exit code ${code}: ${stderr.trim()}`;
}
