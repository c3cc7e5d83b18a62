import { execFileSync } from "node:child_process";
import type { TestContext } from "node:test";
import { Host, type RunOptions, type RunResult } from "../../src/host/host.ts";
import { Namespace } from "../../src/net/namespace.ts";
import { TestNamespace } from "../netlink/namespaces.ts";

/** Everything as if this process had been started in the namespace. */
class HostIn extends Host {
  readonly #name: string;

  constructor({ host, fd, name }: TestNamespace) {
    const { sys } = host;
    super({
      ...sys,
      open: (nsFd, ...rest) => sys.open(nsFd < 0 ? fd : nsFd, ...rest),
      socket: (nsFd, ...rest) => sys.socket(nsFd < 0 ? fd : nsFd, ...rest),
    });
    this.#name = name;
  }

  override run(path: string, options: RunOptions): RunResult {
    const argv = ["ip", "netns", "exec", this.#name, path, ...options.argv.slice(1)];
    return super.run("/bin/ip", { ...options, argv });
  }
}

/** A namespace that plays the machine's own. */
export class HostNamespace extends TestNamespace {
  readonly netns: Namespace;
  /** The programs that were run, without arguments. */
  readonly programs: string[] = [];

  constructor(t: TestContext) {
    super(t);
    const host = new HostIn(this);
    const run = host.run.bind(host);
    host.run = (path, options) => {
      this.programs.push(path.slice(path.lastIndexOf("/") + 1));
      return run(path, options);
    };
    this.netns = new Namespace(host);
    t.after(() => this.netns.netfilter.close());
  }

  /** What nft prints of all tables: each line without indentation. */
  ruleset(): string[] {
    const lines = this.run("nft", "--stateless", "list", "ruleset").split("\n");
    return lines.map((line) => line.trim()).filter((line) => !["", "}"].includes(line));
  }

  load(ruleset: string): void {
    execFileSync("ip", ["netns", "exec", this.name, "nft", "-f", "-"], { input: ruleset });
  }
}
