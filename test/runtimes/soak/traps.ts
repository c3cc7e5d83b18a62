// Kills in the midst of a plugin's call. A script stands in the place of each plugin; it notes the call and becomes the
// plugin, but those it was told of it has killed: the plugin at a system call, by strace, or the runtime that waits for it.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { RuntimeHost } from "../runtime-host.ts";
import { chainOf, networks } from "./networks.ts";
import type { Life } from "./plan.ts";

const FOLDER = "/run/soak";
const REAL = `${FOLDER}/plugins`;
const FOLDERS = ["/opt/cni/bin", "/usr/lib/cni"];

export type TrappedVerb = "ADD" | "DEL";

/** A call that was begun, in their order. */
export interface Call {
  readonly verb: TrappedVerb;
  readonly plugin: string;
  readonly id: string;
  readonly ifName: string;
  readonly name: string;
  /** The plugin did not come to its end. */
  readonly killed: boolean;
}

const script = (plugin: string) => `#!/bin/sh
case $CNI_COMMAND in ADD|DEL) ;; *) exec ${REAL}/${plugin} "$@";; esac
name=\${CNI_ARGS##*K8S_POD_NAME=}
name=\${name%%;*}
echo "$$ $CNI_COMMAND ${plugin} $CNI_CONTAINERID $CNI_IFNAME $name" >> ${FOLDER}/calls
trap=${FOLDER}/traps/$CNI_COMMAND-${plugin}-$name
if [ -e "$trap" ] && read -r what when < "$trap" && /bin/rm "$trap" 2> /dev/null; then
  case $what in
    measure) exec /usr/bin/strace -o ${FOLDER}/traces/$$ ${REAL}/${plugin} "$@";;
    plugin) exec /usr/bin/strace -o ${FOLDER}/traces/$$ -e inject=$when ${REAL}/${plugin} "$@";;
    runtime) (/bin/sleep $when; kill -KILL $PPID; echo $CNI_COMMAND >> ${FOLDER}/runtimes) < /dev/null > /dev/null 2>&1 & ;;
  esac
fi
exec ${REAL}/${plugin} "$@"
`;

export class Traps {
  readonly #host: RuntimeHost;
  /** The system calls that a plugin makes, by verb and plugin. */
  readonly #courses = new Map<string, readonly string[]>();

  constructor(host: RuntimeHost) {
    this.#host = host;
    for (const folder of ["traps", "traces", "stand-ins", "plugins"])
      mkdirSync(host.path(join(FOLDER, folder)), { recursive: true });
    for (const plugin of new Set(networks.flatMap(chainOf))) {
      const mode = 0o755;
      writeFileSync(host.path(join(FOLDER, "stand-ins", plugin)), script(plugin), { mode });
    }
    for (const file of ["calls", "runtimes"]) writeFileSync(host.path(join(FOLDER, file)), "");
    host.must(
      "sh",
      "-ec",
      `mount --bind ${FOLDERS[0]} ${REAL}
       for plugin in host-local loopback; do ln -s ${REAL}/$plugin ${FOLDER}/stand-ins/$plugin; done
       for folder in ${FOLDERS.join(" ")}; do mount --bind ${FOLDER}/stand-ins $folder; done`,
    );
  }

  /** Has the life's plugins show their system calls the next time. */
  measure({ kind, name }: Life): void {
    for (const plugin of new Set(kind.networks.flatMap(chainOf)))
      for (const verb of ["ADD", "DEL"] as const) this.#arm(verb, plugin, name, "measure now");
  }

  /** Notes what was measured, and forgets all calls. */
  learn(): void {
    for (const { pid, verb, plugin } of this.#noted()) {
      const course = this.#trace(pid).match(/^\w+(?=\()/gm);
      if (course) this.#courses.set(`${verb}-${plugin}`, course);
    }
    writeFileSync(this.#host.path(join(FOLDER, "calls")), "");
  }

  /** Has the life's plugin killed in its next call. */
  killPlugin(verb: TrappedVerb, { plugin, name, progress }: Life): void {
    const course = this.#courses.get(`${verb}-${plugin}`)!;
    const place = Math.floor(progress * course.length);
    const call = course[place]!;
    // strace counts the calls of each name.
    const time = course.slice(0, place + 1).filter((each) => each === call).length;
    this.#arm(verb, plugin, name, `plugin ${call}:signal=KILL:when=${time}`);
  }

  /** Has the runtime killed while it waits for the life's plugin. */
  killRuntime(verb: TrappedVerb, { plugin, name, progress }: Life): void {
    this.#arm(verb, plugin, name, `runtime ${(progress * 0.01).toFixed(4)}`);
  }

  /** What nobody stepped into. */
  disarm({ name }: Life): void {
    this.#host.exec(["sh", "-c", `rm -f ${FOLDER}/traps/*-${name}`]);
  }

  /** All ADD and DEL so far. */
  calls(): Call[] {
    const traced = new Set(readdirSync(this.#host.path(join(FOLDER, "traces"))));
    return this.#noted().map(({ pid, ...call }) => ({
      ...call,
      killed: traced.has(pid) && this.#trace(pid).includes("+++ killed by SIGKILL +++"),
    }));
  }

  /** How many runtimes were killed that waited for such a call. */
  runtimesKilled(verb: TrappedVerb): number {
    return this.#read("runtimes").filter((line) => line === verb).length;
  }

  #arm(verb: TrappedVerb, plugin: string, name: string, what: string): void {
    writeFileSync(this.#host.path(`${FOLDER}/traps/${verb}-${plugin}-${name}`), `${what}\n`);
  }

  #noted() {
    return this.#read("calls").map((line) => {
      const [pid, verb, plugin, id, ifName, name] = line.split(" ") as [string, TrappedVerb, ...string[]];
      return { pid, verb, plugin: plugin!, id: id!, ifName: ifName!, name: name! };
    });
  }

  #read(file: string): string[] {
    const lines = readFileSync(this.#host.path(join(FOLDER, file)), "utf8").split("\n");
    return lines.filter((line) => line !== "");
  }

  #trace(pid: string): string {
    try {
      return readFileSync(this.#host.path(join(FOLDER, "traces", pid)), "utf8");
    } catch {
      return "";
    }
  }
}
