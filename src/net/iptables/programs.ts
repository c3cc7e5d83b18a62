import { errno } from "../../host/errno.ts";
import { type Host, isErrno } from "../../host/host.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";

/** Seconds that a program waits for another one's lock, and milliseconds that we wait for the program. */
const LOCK_WAIT_S = 30;
const TIMEOUT_MS = 60_000;
const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * Which kernel interface the programs speak to. `any`: those that the machine's administrator chose as `iptables`;
 * `legacy`: those that speak to ip_tables, which nftables does not see.
 */
export type IptablesVariant = "any" | "legacy";

/** Changes rules by the text of iptables-restore, all lines or none; what is not named stays. Code 100 if it fails. */
export function restoreIptables(
  host: Host,
  family: 4 | 6,
  text: string,
  variant: IptablesVariant = "any",
): void {
  run(host, family, variant, "restore", ["--noflush", "--wait", `${LOCK_WAIT_S}`], host.encode(text));
}

/** The rules of a table as iptables-save prints them, a line each. Code 100 if it fails. */
export function saveIptables(
  host: Host,
  family: 4 | 6,
  table: string,
  variant: IptablesVariant = "any",
): string[] {
  return run(host, family, variant, "save", ["-t", table], new Uint8Array()).split("\n");
}

/** Lines that change a table, for `restoreIptables`. */
export function transaction(table: string, lines: readonly string[]): string {
  return [`*${table}`, ...lines, "COMMIT", ""].join("\n");
}

/** Lines that change the table nat, for `restoreIptables`. */
export function natTransaction(lines: readonly string[]): string {
  return transaction("nat", lines);
}

/** The path of iptables-restore. Code 100 if it is not installed. */
export function restoreProgram(host: Host, family: 4 | 6): string {
  return programPath(host, family, "any", "restore");
}

/** Whether ip_tables (not nftables) has such a table: without it, there is nothing to ask the programs for. */
export function hasLegacyTable(host: Host, family: 4 | 6, table: string): boolean {
  const names = host.readFileIfAny(`/proc/net/${family === 4 ? "ip" : "ip6"}_tables_names`) ?? "";
  return names.split("\n").includes(table);
}

/** Whether iptables is installed. */
export function hasIptables(host: Host, family: 4 | 6): boolean {
  return find(host, `${family === 4 ? "iptables" : "ip6tables"}-restore`) !== undefined;
}

function run(
  host: Host,
  family: 4 | 6,
  variant: IptablesVariant,
  action: "restore" | "save",
  options: string[],
  stdin: Uint8Array,
): string {
  const program = programPath(host, family, variant, action);
  const result = host.run(program, {
    argv: [program, ...options],
    env: host.environment(),
    stdin,
    timeoutMs: TIMEOUT_MS,
    captureStderr: true,
  });
  if (result.exitCode === 0) return result.stdout;
  const ending = result.signal === 0 ? `exit code ${result.exitCode}` : `signal ${result.signal}`;
  throw new CniError(ErrorCode.Plugin, `${program} failed with ${ending}`, result.stderr.trim());
}

function programPath(
  host: Host,
  family: 4 | 6,
  variant: IptablesVariant,
  action: "restore" | "save",
): string {
  const prefix = family === 4 ? "iptables" : "ip6tables";
  // Where there is but one variant, its programs have the plain names.
  const names =
    variant === "legacy" ? [`${prefix}-legacy-${action}`, `${prefix}-${action}`] : [`${prefix}-${action}`];
  const program = names.map((name) => find(host, name)).find((path) => path !== undefined);
  if (program !== undefined) return program;
  throw new CniError(
    ErrorCode.Plugin,
    `program ${names.at(-1)} not found`,
    `Install iptables, or choose the backend "nftables", which needs no program. Searched: ${searchPath(host)}.`,
  );
}

function find(host: Host, name: string): string | undefined {
  for (const folder of searchPath(host).split(":")) {
    const path = `${folder}/${name}`;
    if (folder.startsWith("/") && isThere(host, path)) return path;
  }
  return undefined;
}

function isThere(host: Host, path: string): boolean {
  try {
    return host.statIfAny(path) !== undefined;
  } catch (error) {
    // A folder of PATH that we may not enter, or a loop of links.
    if (isErrno(error, errno.EACCES, errno.ELOOP)) return false;
    throw error;
  }
}

function searchPath(host: Host): string {
  return host.variable("PATH") || DEFAULT_PATH;
}
