import { errnoName } from "../host/errno.ts";
import { type Host, SysError, vector } from "../host/host.ts";
import type { Attachment } from "../runtime/chain.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { NetworkConfigList } from "../spec/config.ts";
import type { Dns } from "../spec/result.ts";
import { type Arguments, UsageError } from "./arguments.ts";
import { warnOfUnusedCapabilities } from "./capabilities.ts";
import type { Command } from "./command.ts";
import { type Container, createContainer } from "./container.ts";
import { ENVIRONMENT_HELP, openRuntime, parametersOf } from "./environment.ts";
import { EXIT_NOT_FOUND, findProgram, startFailureCode } from "./program.ts";
import { errorText } from "./report.ts";
import { resolvConf } from "./resolv.ts";
import { readResult, resultText } from "./result.ts";
import { Signals } from "./signals.ts";

const RESOLV_CONF = "/etc/resolv.conf";
const RUN_DIR = "/run/plumb";

export const command: Command = {
  usage: "run [OPTION...] [--] COMMAND [ARGUMENT...]",
  about: `Runs a command in a new network namespace that is attached to the networks, as
eth0, eth1 and so on, and detaches it when the command has ended, whatever
happens. The namespace has the name plumb-XXXXXXXX for "ip netns". If the
networks tell name servers, the command has its own /etc/resolv.conf. Signals are
passed on to the command.

  plumb run -- ip addr
  plumb run --net frontend,backend -- sh

Without --net it is the network of the first configuration file.

Exit codes:
  the command's own, or 128 and the number of the signal that ended it
  126  the command cannot be executed
  127  the command is not found
  1    it could not be attached, or it succeeded and could not be detached
  2    wrong usage

${ENVIRONMENT_HELP}`,
  options: {
    net: { value: "NAME[,NAME...]", help: "networks; may be repeated" },
    verbose: { short: "v", help: "show each attachment on stderr" },
  },
  ownCommand: true,

  async run(host, args) {
    if (args.operands.length === 0) throw new UsageError("COMMAND is missing");
    const signals = new Signals(host);
    const runtime = openRuntime(host, { programs: signals.programs() });
    const names = args
      .values("net")
      .flatMap((list) => list.split(","))
      .filter((name) => name !== "");
    const networks =
      names.length > 0 ? names.map((name) => runtime.network(name)) : [runtime.defaultNetwork()];
    warnOfUnusedCapabilities(host, networks, parametersOf(host).capabilityArgs);
    const container = createContainer(host);
    const session = new Session(host, runtime, container);
    let code: number;
    try {
      code = await session.run(networks, args, signals);
    } catch (error) {
      const signal = signals.fatal();
      if (signal === undefined) throw error;
      code = 128 + signal;
    } finally {
      signals.ignore();
      await session.detach();
    }
    return session.leaks ? code || 1 : code;
  },
};

/** One run: what has been attached so far, and must be detached. */
class Session {
  /** Something could not be removed; it was reported. */
  leaks = false;
  readonly #host: Host;
  readonly #runtime: Runtime;
  readonly #container: Container;
  readonly #attached: [NetworkConfigList, Attachment][] = [];

  constructor(host: Host, runtime: Runtime, container: Container) {
    this.#host = host;
    this.#runtime = runtime;
    this.#container = container;
  }

  async run(networks: readonly NetworkConfigList[], args: Arguments, signals: Signals): Promise<number> {
    const dns: Dns[] = [];
    for (const network of networks) {
      const result = await this.#attach(network, args.has("verbose"));
      if (result.dns) dns.push(result.dns);
      const signal = signals.fatal();
      if (signal !== undefined) return 128 + signal;
    }
    return this.#execute(args.operands, dns, signals);
  }

  /** DEL of all that was begun, last first, then the namespace. Reports what fails and goes on. */
  async detach(): Promise<void> {
    for (const [network, attachment] of this.#attached.reverse())
      await this.#runtime.del(network, attachment).catch((error) => this.#report(error));
    try {
      this.#container.remove();
    } catch (error) {
      this.#report(error);
    }
  }

  async #attach(network: NetworkConfigList, verbose: boolean) {
    const { name, netns } = this.#container;
    const attachment: Attachment = {
      containerId: name,
      netns: netns.path,
      ifName: `eth${this.#attached.length}`,
      ...parametersOf(this.#host),
    };
    // Before ADD: DEL must follow although ADD fails.
    this.#attached.push([network, attachment]);
    const { result } = await readResult(await this.#runtime.add(network, attachment));
    if (verbose) this.#host.stderr(resultText(network.name, attachment, result));
    return result;
  }

  #execute(argv: readonly string[], dns: readonly Dns[], signals: Signals): number {
    const host = this.#host;
    const [program = ""] = argv;
    const file = findProgram(host, program);
    if (file === undefined) {
      host.stderr(`plumb: ${program}: command not found\n`);
      return EXIT_NOT_FOUND;
    }
    const resolv = this.#writeResolvConf(dns);
    const binds = resolv === undefined ? [] : [RESOLV_CONF, resolv];
    const { fd } = this.#container.netns;
    const pid = host.sys.start(fd, file, vector(argv), vector(host.environment()), vector(binds));
    // The mount keeps it.
    if (resolv !== undefined) host.removeFile(resolv);
    if (pid >= 0) return signals.await(pid);
    const code = startFailureCode(-pid);
    if (code === undefined) throw new SysError("start", -pid, file);
    host.stderr(`plumb: ${file} cannot be executed: ${errnoName(-pid)}\n`);
    return code;
  }

  /** The path of a resolv.conf for the command; undefined if it needs none of its own. */
  #writeResolvConf(dns: readonly Dns[]): string | undefined {
    const host = this.#host;
    const hostFile = host.readFileIfAny(RESOLV_CONF);
    const text = resolvConf(dns, hostFile ?? "");
    if (text === undefined) return undefined;
    if (hostFile === undefined) {
      host.stderr(`plumb: there is no ${RESOLV_CONF} to put the networks' name servers in\n`);
      return undefined;
    }
    host.makeDirectories(RUN_DIR);
    const path = `${RUN_DIR}/${this.#container.name}.resolv.conf`;
    host.writeFile(path, text);
    return path;
  }

  #report(error: unknown): void {
    this.leaks = true;
    this.#host.stderr(errorText(error));
  }
}
