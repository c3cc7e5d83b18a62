import type { Host } from "../host/host.ts";
import { holdSignals, readSignal, SIGHUP, SIGINT, SIGTERM } from "../host/signals.ts";
import { CniError, ErrorCode } from "../spec/errors.ts";
import { Attachments } from "./attachments.ts";
import { complaint, errorLine } from "./failure.ts";
import { duration, FlagError, flagsHelp, parseFlags, text, toggle, type Values } from "./flags.ts";
import { listen } from "./listener.ts";
import { type Log, logTo } from "./log.ts";
import { Loop } from "./loop.ts";
import { DEFAULT_SOCKET, leaseDirectory } from "./protocol.ts";
import { Server } from "./server.ts";
import { Store } from "./store.ts";
import { Dhcp4Source } from "./v4/source.ts";
import { Ipv6Source } from "./v6/source.ts";

const FLAGS = {
  socketpath: text("where plugins reach it", "PATH", DEFAULT_SOCKET),
  hostprefix: text("stands before all paths of the host, for a daemon in a container", "PATH"),
  pidfile: text("a file for its process ID", "PATH"),
  broadcast: toggle("ask all DHCP servers to answer by broadcast"),
  timeout: duration("for how long a server that has offered is asked [10s]", 10_000),
  resendmax: duration("the longest pause between two of the same message [62s]", 62_000),
  resendtimeout: duration("for how long ADD waits for a lease [208s]", 208_000),
  probe: duration("how long it is watched whether an address is in use; 0: not at all [50ms]", 50, 0),
};

type Settings = Values<typeof FLAGS>;

const EXIT_FAILURE = 1;
const EXIT_USAGE = 2;

/** `dhcp daemon`: gets leases for the plugin dhcp and renews them, until it is told to end. Gives the exit code. */
export function main(host: Host, words: readonly string[]): number {
  const log = logTo(host);
  try {
    const settings = parseFlags(words, FLAGS);
    if (settings === "help") host.stdout(help());
    else run(host, log, settings);
    return 0;
  } catch (error) {
    for (const line of complaint("dhcp daemon", error)) log(line, { level: "error" });
    return error instanceof FlagError ? EXIT_USAGE : EXIT_FAILURE;
  }
}

function help(): string {
  return `Usage: dhcp daemon [FLAG...]

Gets leases from DHCP servers for the plugin dhcp, renews them, and applies what
servers change. They are kept beside the socket: a daemon that is started again
goes on with them.

${flagsHelp(FLAGS)}`;
}

/** Until SIGTERM or SIGINT. */
function run(host: Host, log: Log, settings: Settings): void {
  const { pidfile, hostprefix, resendtimeout, broadcast } = settings;
  if (pidfile !== "" && !pidfile.startsWith("/"))
    throw new CniError(ErrorCode.InvalidEnvironment, `-pidfile ${pidfile}: the path must be absolute`);
  const signals = holdSignals(host, SIGTERM, SIGINT, SIGHUP);
  const socketPath = `${hostprefix}${settings.socketpath}`;
  const store = Store.open(host, leaseDirectory(socketPath));
  const listener = listen(host, socketPath);
  try {
    if (pidfile !== "") host.writeFile(pidfile, `${host.sys.getpid()}`);
    const loop = new Loop(host, (error) => log(`dhcp daemon: ${errorLine(error)}`, { level: "error" }));
    const attachments = new Attachments({
      ...{ host, scheduler: loop, store, log, broadcast, hostPrefix: hostprefix, patience: resendtimeout },
      timing: { timeout: settings.timeout, resendMax: settings.resendmax, probe: settings.probe },
      openSource: (family, context, events) =>
        family === 4 ? new Dhcp4Source(context, events) : new Ipv6Source(context, events),
    });
    loop.watch(signals, () => {
      const signal = readSignal(host, signals, 0);
      // A terminal that is closed is no reason to end.
      if (signal && signal.number !== SIGHUP) loop.stop();
    });
    const descriptors = host.sys.openlimit();
    attachments.resume();
    const server = new Server({ host, scheduler: loop, log }, attachments, listener.fd, descriptors);
    loop.run();
    server.stop();
    attachments.suspend();
  } finally {
    listener.close();
    if (pidfile !== "") host.removeFile(pidfile);
  }
}
