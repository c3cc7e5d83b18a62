import type { Host } from "../host/host.ts";
import { callDaemon } from "./client.ts";
import { complaint } from "./failure.ts";
import { FlagError, flagsHelp, parseFlags, text, toggle } from "./flags.ts";
import { DEFAULT_SOCKET } from "./protocol.ts";

const FLAGS = {
  socketpath: text("where the daemon is reached", "PATH", DEFAULT_SOCKET),
  json: toggle("print JSON"),
};

const TIMEOUT_MS = 10_000;

/** An attachment as the daemon lists it; see Attachments.list. */
interface Listed {
  readonly containerId: string;
  readonly network: string;
  readonly ifName: string;
  readonly leases: readonly {
    readonly family: 4 | 6;
    readonly addresses: readonly string[];
    readonly server?: string;
    readonly renewsIn?: number | null;
    readonly expiresIn?: number | null;
  }[];
}

/** `dhcp leases`: shows what the daemon holds. Gives the exit code. */
export function main(host: Host, words: readonly string[]): number {
  try {
    const flags = parseFlags(words, FLAGS);
    if (flags === "help") {
      host.stdout(
        `Usage: dhcp leases [FLAG...]\n\nLists the leases that the DHCP daemon holds.\n\n${flagsHelp(FLAGS)}`,
      );
      return 0;
    }
    const result = callDaemon(host, flags.socketpath, { command: "LIST" }, TIMEOUT_MS);
    const { attachments } = result as unknown as { attachments: readonly Listed[] };
    host.stdout(flags.json ? `${JSON.stringify(attachments, null, 2)}\n` : table(attachments));
    return 0;
  } catch (error) {
    host.stderr(`${complaint("dhcp leases", error).join("\n")}\n`);
    return error instanceof FlagError ? 2 : 1;
  }
}

/** A line for each lease, in columns. */
export function table(attachments: readonly Listed[]): string {
  const rows = attachments.flatMap(({ containerId, network, ifName, leases }) =>
    leases.map(({ family, addresses, server = "-", renewsIn, expiresIn }) => [
      ...[containerId, network, ifName],
      addresses.length > 0 ? addresses.join(",") : `none for IPv${family}`,
      ...[server, time(renewsIn), time(expiresIn)],
    ]),
  );
  const lines = [["CONTAINER", "NETWORK", "INTERFACE", "ADDRESS", "SERVER", "RENEWS", "EXPIRES"], ...rows];
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  return lines
    .map(
      (line) =>
        `${line
          .map((cell, column) => cell.padEnd(widths[column]!))
          .join("  ")
          .trimEnd()}\n`,
    )
    .join("");
}

/** Seconds in a form that is read at a glance. */
function time(seconds: number | null | undefined): string {
  if (seconds === undefined) return "-";
  if (seconds === null) return "never";
  const units: [size: number, name: string][] = [
    [86_400, "d"],
    [3_600, "h"],
    [60, "min"],
  ];
  const [size, name] = units.find(([least]) => seconds >= 2 * least) ?? [1, "s"];
  return `${Math.round(seconds / size)} ${name}`;
}
