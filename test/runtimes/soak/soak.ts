// The soak itself: workers that go through their lives, rests in which all is looked at, and the count of it all.
import type { TestContext } from "node:test";
import { setTimeout } from "node:timers/promises";
import { plumb } from "../../programs.ts";
import { Containerd, startDaemon } from "../containerd.ts";
import { Cri } from "../cri.ts";
import { HOSTNAME_PAGE } from "../image.ts";
import { type Layers, RuntimeHost, side } from "../runtime-host.ts";
import { Containers, type Engine, Pods } from "./engine.ts";
import { byKind, type Difference, Ledger } from "./ledger.ts";
import { leftOvers } from "./left-overs.ts";
import { type Living, look } from "./living.ts";
import { GC_FOLDER, networks, writeNetworks } from "./networks.ts";
import { kinds, type Life, lives, sample } from "./plan.ts";
import { Random } from "./random.ts";
import { Traps } from "./traps.ts";

const WORKERS = 5;
/** How many containers of a worker live at a time, about. */
const HOUSEHOLD = 3;
/** In how many parts the lives are, with a rest after each. */
const PARTS = 4;

/** How long an answer may take on a busy machine. */
const SECONDS = side === "ours" ? "20" : "3";
/** Says what does not answer, or not with the name. A web server may have to start yet. */
const VISIT = `name=$1 seconds=$2; shift 2
  for where in "$@"; do
    case $where in
      http:*)
        shown=$(curl -sg --retry 5 --retry-connrefused -m $seconds "$where")
        [ "$shown" = "$name" ] || echo "$where shows '$shown'";;
      *) ping -q -c 1 -W $seconds "$where" > /dev/null || echo "$where does not answer";;
    esac
  done`;

/** What the summary tells first, were it nothing. */
const FIRST = [
  "made",
  "restarted",
  "removed",
  "containers killed",
  "keepers killed",
  "makes repeated",
  "removals repeated",
];
const THEN = ["samples", "samples that failed", "audits"];

export interface SoakSettings {
  readonly count: number;
  readonly seed: number;
  readonly layers: Layers;
}

/** One who makes and removes containers, one after the other. */
interface Worker {
  readonly random: Random;
  /** Those that live. */
  readonly household: Life[];
}

export class Soak {
  /** What is not as it must be. */
  readonly complaints: string[] = [];
  readonly #t: TestContext;
  readonly #host: RuntimeHost;
  readonly #settings: SoakSettings;
  readonly #engines: Readonly<Record<"cri" | "podman", Engine>>;
  readonly #ledger: Ledger;
  readonly #traps: Traps;
  readonly #counts = new Map<string, number>();
  readonly #lives: readonly Life[];
  readonly #workers: readonly Worker[];
  #began = Date.now();

  private constructor(t: TestContext, host: RuntimeHost, cri: Cri, settings: SoakSettings) {
    const count = (what: string, times = 1) => this.#count(what, times);
    this.#t = t;
    this.#host = host;
    this.#settings = settings;
    this.#lives = lives(settings.seed, settings.count);
    this.#traps = new Traps(host);
    this.#ledger = new Ledger(host);
    this.#engines = { cri: new Pods(host, cri, count), podman: new Containers(host, count) };
    this.#workers = Array.from({ length: WORKERS }, (_, number) => ({
      random: new Random(settings.seed + 1 + number),
      household: [],
    }));
  }

  /** A machine with both runtimes, which has seen one container of each kind. */
  static async begin(t: TestContext, settings: SoakSettings): Promise<Soak> {
    const host = await RuntimeHost.boot(t, settings.layers);
    writeNetworks(host);
    const containerd = await Containerd.start(t, host, { networks: 2 });
    const soak = new Soak(t, host, new Cri(t, containerd.socket), settings);
    soak.#keepRunning(containerd);
    await soak.#warmUp();
    return soak;
  }

  async run(): Promise<void> {
    const { count } = this.#settings;
    for (let part = 0; part < PARTS; part++) {
      const from = Math.floor((part * count) / PARTS);
      const to = Math.floor(((part + 1) * count) / PARTS);
      await this.#each((worker, number) =>
        this.#live(
          worker,
          this.#lives.slice(from, to).filter((life) => life.number % WORKERS === number),
        ),
      );
      await this.#rest(`after ${to} containers`);
    }
    await this.#each(async (worker) => {
      while (worker.household.length > 0) await this.#removeOne(worker);
    });
    await this.#rest("in the end");
    await this.#nothingElseIsLeft();
  }

  /** The counts, in a line. */
  summary(): string {
    const seconds = Math.round((Date.now() - this.#began) / 1000);
    const calls = this.#traps.calls();
    const killed = calls.filter((call) => call.killed);
    const first = new Set<string>();
    let repeated = 0;
    for (const { verb, plugin, id, ifName } of calls) {
      const key = `${plugin} ${id} ${ifName}`;
      if (verb === "ADD") first.delete(key);
      else if (first.has(key)) repeated++;
      else first.add(key);
    }
    const counted = (names: readonly string[]) => names.map((name) => [name, this.#counts.get(name) ?? 0]);
    const facts = {
      ...Object.fromEntries(counted(FIRST)),
      "plugins killed in ADD": killed.filter(({ verb }) => verb === "ADD").length,
      "plugins killed in DEL": killed.filter(({ verb }) => verb === "DEL").length,
      "runtimes killed in ADD": this.#traps.runtimesKilled("ADD"),
      "runtimes killed in DEL": this.#traps.runtimesKilled("DEL"),
      "calls of plugins": calls.length,
      "DELs repeated": repeated,
      ...Object.fromEntries(counted(THEN)),
      complaints: this.complaints.length,
      ...Object.fromEntries([...this.#counts].sort()),
    };
    const words = Object.entries(facts).map(([what, times]) => `${what} ${times}`);
    return `${side}: ${words.join(", ")}; ${seconds} s`;
  }

  async #warmUp(): Promise<void> {
    const first = kinds.map((kind, number) => sample(kind, number));
    const random = new Random(0);
    for (const life of first) await this.#engineOf(life).make(life);
    await Promise.all(first.map((life) => this.#engineOf(life).remove(life, random)));
    // Its locks stay.
    if (side === "ours") await this.#collectGarbage([]);
    await this.#ledger.begin();
    for (const life of first) {
      this.#traps.measure(life);
      await this.#engineOf(life).make(life);
      const template = await this.#ledger.learn(await this.#look(life));
      if (process.env["SOAK_SHOW"]) console.log(life.kind.name, template);
      await this.#engineOf(life).remove(life, random);
      this.#traps.disarm(life);
      this.#complain(`after the first ${life.kind.name}`, await this.#ledger.audit([]));
    }
    this.#traps.learn();
    this.#counts.clear();
    this.#began = Date.now();
  }

  /** All workers at once. */
  async #each(work: (worker: Worker, number: number) => Promise<void>): Promise<void> {
    await Promise.all(this.#workers.map(work));
  }

  async #live(worker: Worker, queue: Life[]): Promise<void> {
    const { random, household } = worker;
    while (queue.length > 0) {
      const chance = random.next();
      if (household.length === 0 || chance < 0.5 - (household.length - HOUSEHOLD) * 0.15)
        await this.#make(worker, queue.shift()!);
      else if (chance < 0.8) await this.#removeOne(worker);
      else if (chance < 0.95) await this.#visit(await this.#look(random.pick(household)));
      else {
        const life = random.pick(household);
        await this.#attempt(life, async () => {
          await this.#engineOf(life).restart(life);
          this.#count("restarted");
          await this.#visit(await this.#look(life));
        });
      }
    }
  }

  async #make({ household }: Worker, life: Life): Promise<void> {
    if (life.hurt === "plugin in ADD") this.#traps.killPlugin("ADD", life);
    if (life.hurt === "runtime in ADD") this.#traps.killRuntime("ADD", life);
    await this.#attempt(life, async () => {
      const made = await this.#engineOf(life).make(life);
      household.push(made);
      this.#count("made");
      await this.#visit(await this.#look(made));
    });
    this.#traps.disarm(life);
  }

  async #removeOne({ household, random }: Worker): Promise<void> {
    const [life] = household.splice(random.below(household.length), 1) as [Life];
    if (life.hurt === "container" || life.hurt === "keeper") {
      await this.#engineOf(life).kill(life, life.hurt === "keeper");
      this.#count(`${life.hurt}s killed`);
    }
    if (life.hurt === "plugin in DEL") this.#traps.killPlugin("DEL", life);
    if (life.hurt === "runtime in DEL") this.#traps.killRuntime("DEL", life);
    await this.#attempt(life, async () => {
      await this.#engineOf(life).remove(life, random);
      this.#count("removed");
    });
    this.#traps.disarm(life);
  }

  /** With ours all must succeed. What the reference never does is counted and left. */
  async #attempt(life: Life, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (side === "ours") throw error;
      this.#count("given up");
      this.complaints.push(`${life.name}, a ${life.kind.name}, given up: ${(error as Error).message}`);
      for (const { household } of this.#workers)
        if (household.includes(life)) household.splice(household.indexOf(life), 1);
    }
  }

  /** Goes to see whether the container is reached, at its addresses and by the port that it has on the host. */
  async #visit({ life, interfaces }: Living): Promise<void> {
    const { name, hostPort, kind } = life;
    this.#count("samples");
    const addresses = interfaces.flatMap((each) => each.addresses);
    const hosts = ["127.0.0.1", "10.91.0.1", ...(kind.networks.includes("pods") ? ["[fd90::1]"] : [])];
    const urls = kind.protocols.includes("tcp")
      ? hosts.map((host) => `http://${host}:${hostPort}${HOSTNAME_PAGE}`)
      : [];
    const { stdout, stderr } = await this.#host.run([
      "sh",
      "-c",
      VISIT,
      "sh",
      name,
      SECONDS,
      ...addresses,
      ...urls,
    ]);
    if (stdout + stderr === "") return;
    this.#count("samples that failed");
    this.complaints.push(`${name}, a ${kind.name}: ${stdout}${stderr}`);
  }

  /** Everything stands still: all that lives is looked at, and all that is on the host must be theirs. */
  async #rest(when: string): Promise<void> {
    const all = await Promise.all(
      this.#workers.flatMap(({ household }) => household).map((life) => this.#look(life)),
    );
    const addresses = all.flatMap(({ interfaces }) => interfaces.flatMap((each) => each.addresses));
    if (new Set(addresses).size < addresses.length)
      this.complaints.push(`${when}: an address twice in ${addresses}`);
    await Promise.all(all.map((living) => this.#visit(living)));
    this.#count("audits");
    const found = await this.#ledger.audit(all);
    this.#countLines("missing", found.missing);
    this.#countLines("left over", found.over);
    const { forgotten, unknown } = leftOvers(found.over, this.#traps.calls(), all);
    for (const name of forgotten.values()) {
      const { kind, hurt = "another's runtime" } = this.#lives.find((life) => life.name === name)!;
      this.#count(`without DEL: ${kind.runtime}, ${hurt} killed`);
    }
    this.#complain(when, { missing: found.missing, over: unknown });
    if (side === "ours" && found.over.length > 0) {
      await this.#collectGarbage(all);
      const still = await this.#ledger.audit(all);
      this.#countLines("left over after GC", still.over);
      this.#complain(`${when}, after GC`, still);
      this.#ledger.accept(still);
    } else this.#ledger.accept(found);
  }

  /** As an operator does: of each network all goes but what the runtimes have. A namespace that they forgot goes too. */
  async #collectGarbage(all: readonly Living[]): Promise<void> {
    const known = (await Promise.all(Object.values(this.#engines).map((engine) => engine.ids()))).flat();
    const env = [`NETCONFPATH=${GC_FOLDER}`, "CNI_PATH=/opt/cni/bin"];
    for (const network of networks) {
      const keep = known.flatMap((id) => ["eth0", "eth1"].flatMap((ifName) => ["--keep", `${id}/${ifName}`]));
      const command = [plumb, "gc", network, ...(keep.length > 0 ? keep : ["--all"])];
      const { code, stderr, stdout } = await this.#host.run(["env", ...env, ...command]);
      if (code !== 0) this.complaints.push(`plumb gc ${network}: ${stderr}${stdout}`);
      this.#count("GCs");
    }
    const used = all.flatMap(({ own }) =>
      own.filter(([, name]) => name === "{namespace}").map(([text]) => text),
    );
    const { stdout } = await this.#host.run(["ls", "/run/netns"]);
    for (const name of stdout.split("\n").filter((each) => each !== "" && !used.includes(each))) {
      await this.#host.run(["ip", "netns", "delete", name]);
      this.#count("namespaces that runtimes forgot");
    }
  }

  #countLines(what: string, lines: readonly string[]): void {
    for (const [kind, times] of Object.entries(byKind(lines))) this.#count(`${what}: ${kind}`, times);
  }

  #complain(when: string, { missing, over }: Difference): void {
    this.complaints.push(
      ...missing.map((line) => `${when}, missing: ${line}`),
      ...over.map((line) => `${when}, over: ${line}`),
    );
  }

  /** Processes of plugins, and the index of host-local, which containers share. What runtimes forget is counted. */
  async #nothingElseIsLeft(): Promise<void> {
    const lines = async (...command: string[]) => {
      const { stdout } = await this.#host.run(command);
      return stdout.split("\n").filter((line) => line !== "");
    };
    const left = async () => {
      const processes = await lines("ps", "-e", "-o", "stat=,args=");
      return [
        ...processes.filter((line) => /^Z|\/plugins\/|strace/.test(line)),
        ...(await lines("find", "/var/lib/cni/networks", "-path", "*/.plumb/*", "-type", "f")),
      ];
    };
    for (const end = Date.now() + 20_000; (await left()).length > 0 && Date.now() < end; )
      await setTimeout(100);
    this.complaints.push(...(await left()).map((line) => `in the end, over: ${line}`));
    const forgotten = await lines("sh", "-c", "ps -e -o args= | grep -E '^[^ ]*(shim|conmon|httpd)'");
    this.#count("processes that runtimes forgot", forgotten.length);
  }

  async #look(life: Life): Promise<Living> {
    return await look(this.#host, life, await this.#engineOf(life).look(life));
  }

  #engineOf({ kind }: Life): Engine {
    return this.#engines[kind.runtime];
  }

  #count(what: string, times = 1): void {
    if (times > 0) this.#counts.set(what, (this.#counts.get(what) ?? 0) + times);
  }

  /** As a service manager does: a daemon that was killed starts again. */
  #keepRunning({ daemon }: Containerd): void {
    let ended = false;
    this.#t.after(() => {
      ended = true;
    });
    const watch = async (running: Pick<typeof daemon, "end">) => {
      await running.end();
      if (ended) return;
      this.#count("containerd started again");
      await watch(await startDaemon(this.#t, this.#host));
    };
    watch(daemon).catch((error) => this.complaints.push(`containerd: ${error}`));
  }
}
