// A cgroup in each hierarchy for one test, in which runtimes make those of their containers.
import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";

/** One mounted hierarchy: `cgroup2`, or a `cgroup` with the controllers in `options`. */
interface Hierarchy {
  readonly type: string;
  readonly mountPoint: string;
  readonly options: string;
  /** Our cgroup in it. */
  readonly folder: string;
}

/** Where the processes are: beside them the second version lets no cgroup have controllers. */
const LEAF = "init";
const POLL_MS = 20;
const PATIENCE_MS = 30_000;

export class Cgroups {
  readonly #hierarchies: readonly Hierarchy[];

  /** Makes the cgroups. Those of test runs that were killed go. */
  constructor() {
    this.#hierarchies = hierarchies(`plumb-test-${process.pid}-${randomUUID()}`);
    for (const { folder, options } of this.#hierarchies) {
      removeOrphans(dirname(folder));
      mkdirSync(folder);
      if (options.includes("cpuset"))
        // Version 1 lets no process into one that has none.
        for (const file of ["cpuset.cpus", "cpuset.mems"])
          writeFileSync(join(folder, file), readFileSync(join(folder, "..", file)));
    }
  }

  /** The command that runs `command` in them. */
  joining(command: readonly string[]): string[] {
    return joining(
      this.#hierarchies.map(({ folder }) => folder),
      command,
    );
  }

  /** The same once `mountScript` has run. */
  joiningLeaf(command: readonly string[]): string[] {
    return joining(
      this.#hierarchies.map(({ type, folder }) => (type === "cgroup2" ? join(folder, LEAF) : folder)),
      command,
    );
  }

  /** Shell commands that mount the hierarchies anew in a cgroup namespace, so that ours are their roots. */
  mountScript(): string {
    const lines = this.#hierarchies.map(({ type, mountPoint, options }) =>
      type === "cgroup2"
        ? `mkdir -p ${mountPoint}
           mount -t cgroup2 cgroup2 ${mountPoint}
           mkdir ${mountPoint}/${LEAF}
           echo $$ > ${mountPoint}/${LEAF}/cgroup.procs
           for controller in $(cat ${mountPoint}/cgroup.controllers); do echo +$controller > ${mountPoint}/cgroup.subtree_control; done`
        : `mkdir -p ${mountPoint}
           mount -t cgroup -o ${options} cgroup ${mountPoint}`,
    );
    const alone = this.#hierarchies.some(({ mountPoint }) => mountPoint === "/sys/fs/cgroup");
    return [...(alone ? [] : ["mount -t tmpfs cgroups /sys/fs/cgroup"]), ...lines].join("\n");
  }

  /** Removes them, and all that runtimes left in them, once no process is there any more. */
  async remove(): Promise<void> {
    for (const { folder } of this.#hierarchies)
      for (const end = Date.now() + PATIENCE_MS; !removed(folder); await setTimeout(POLL_MS))
        if (Date.now() > end) throw new Error(`${folder} is still in use`);
  }
}

function joining(folders: readonly string[], command: readonly string[]): string[] {
  const script = `for folder in ${folders.join(" ")}; do echo $$ > $folder/cgroup.procs; done; exec "$@"`;
  return ["sh", "-ec", script, "sh", ...command];
}

function hierarchies(name: string): Hierarchy[] {
  // id:controllers:path (proc(5), cgroups(7)); the second version has no controllers there.
  const own = new Map(
    readFileSync("/proc/self/cgroup", "utf8")
      .trim()
      .split("\n")
      .map((line) => /^\d+:(.*?):(.*)$/.exec(line)!)
      .map(([, controllers, path]) => [controllers!, path!]),
  );
  return readFileSync("/proc/self/mountinfo", "utf8")
    .trim()
    .split("\n")
    .flatMap((line) => {
      const [before, after] = line.split(" - ").map((part) => part.split(" "));
      const [mountPoint, [type, , superOptions]] = [before![4]!, after as [string, string, string]];
      if (type !== "cgroup" && type !== "cgroup2") return [];
      const options = type === "cgroup2" ? "" : superOptions.replace(/^(rw|ro),/, "");
      const path = own.get(options);
      if (path === undefined) return [];
      const parent = join(mountPoint, path).replace(/\/$/, "");
      const folder = join(type === "cgroup2" ? withControllers(mountPoint, parent) : parent, name);
      return [{ type, mountPoint, options, folder }];
    });
}

/**
 * Of a cgroup of the second version and those above it, the one that gives most controllers to its children. One with
 * processes gives none: where systemd is, that of a login has them.
 */
function withControllers(mountPoint: string, folder: string): string {
  const given = readFileSync(join(folder, "cgroup.subtree_control"), "utf8").split(/\s+/).length;
  if (folder === mountPoint) return folder;
  const above = withControllers(mountPoint, dirname(folder));
  const more = readFileSync(join(above, "cgroup.subtree_control"), "utf8").split(/\s+/).length;
  return more > given ? above : folder;
}

/** Nobody is in them any more: a world ends with the process that holds it. */
function removeOrphans(parent: string): void {
  for (const name of readdirSync(parent)) {
    const pid = /^plumb-test-(\d+)-/.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) removed(join(parent, name));
  }
}

function removed(folder: string): boolean {
  try {
    for (const entry of readdirSync(folder, { withFileTypes: true }))
      if (entry.isDirectory()) removed(join(folder, entry.name));
    rmdirSync(folder);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return true;
    if (code === "EBUSY" || code === "ENOTEMPTY") return false;
    throw error;
  }
}
