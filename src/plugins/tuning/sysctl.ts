import { errno } from "../../host/errno.ts";
import { isErrno } from "../../host/host.ts";
import type { Namespace } from "../../net/namespace.ts";
import { readSysctl, writeSysctl } from "../../net/sysctl.ts";
import type { Undo } from "../../plugin/types.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import { show } from "../../spec/json.ts";

/** A kernel setting of a network namespace, and the value for it. */
export interface Sysctl {
  /** As it was written: net.ipv4.conf.IFNAME.arp_ignore. */
  readonly key: string;
  /** Its place below /proc/sys: net/ipv4/conf/eth0/arp_ignore. */
  readonly name: string;
  readonly value: string;
}

/**
 * The place of a sysctl below /proc/sys. As in sysctl(8), the first dot or slash in the key says which of them
 * separates; the other one then stands for a dot in a name: net.ipv4.conf.eth0/100.forwarding and
 * net/ipv4/conf/eth0.100/forwarding are the same. Code 7 for what does not lie in net.
 */
export function sysctlName(key: string, ifName: string): string {
  const dotted = /[./]/.exec(key)?.[0] === ".";
  const path = dotted ? key.replace(/[./]/g, (mark) => (mark === "." ? "/" : ".")) : key;
  // A function, since a name may have a $.
  const name = path.replace("IFNAME", () => ifName);
  const parts = name.split("/");
  const isBelowNet = parts[0] === "net" && parts.length > 1;
  if (isBelowNet && !name.includes("\0") && !parts.some((part) => /^\.{0,2}$/.test(part))) return name;
  throw new CniError(
    ErrorCode.InvalidConfig,
    `invalid net sysctl key: ${show(key)}`,
    "Only what lies in net belongs to a network namespace: net.ipv4.conf.IFNAME.arp_ignore, for example.",
  );
}

/** Sets it, if it has another value. What it was before comes back with `undo`, unless it cannot be read. */
export function setSysctl(netns: Namespace, sysctl: Sysctl, undo: Undo): void {
  const { key, name, value } = sysctl;
  const before = readIfReadable(netns, sysctl);
  if (before !== undefined) {
    if (isSameValue(before, value)) return;
    undo.add(`restore sysctl ${key}`, () => restore(netns, sysctl, before));
  }
  try {
    explained(sysctl, () => writeSysctl(netns, name, value));
  } catch (error) {
    if (!isErrno(error, errno.EACCES)) throw error;
    throw new CniError(
      ErrorCode.InvalidConfig,
      `sysctl ${key} cannot be set in a container`,
      `The kernel has one /proc/sys/${name} for the whole host, or lets nobody change it.`,
      { cause: error },
    );
  }
}

/** Of a list, the kernel may have taken a part before it refused the rest; mostly it has not changed anything. */
function restore(netns: Namespace, sysctl: Sysctl, before: string): void {
  // Without a line's end, an empty value would not be written at all.
  if (!isSameValue(readValue(netns, sysctl), before)) writeSysctl(netns, sysctl.name, `${before}\n`);
}

/** The value now. Code 7 if there is no such sysctl. */
export function readValue(netns: Namespace, sysctl: Sysctl): string {
  return explained(sysctl, () => readSysctl(netns, sysctl.name));
}

/** Some can be written only, and some have no value yet. */
function readIfReadable(netns: Namespace, sysctl: Sysctl): string | undefined {
  try {
    return readValue(netns, sysctl);
  } catch (error) {
    if (isErrno(error, errno.EACCES, errno.EPERM, errno.EIO)) return undefined;
    throw error;
  }
}

/** The kernel separates the numbers of a list by tabs, whatever was written. */
export function isSameValue(a: string, b: string): boolean {
  const words = (text: string) => text.trim().split(/\s+/).join(" ");
  return words(a) === words(b);
}

function explained<T>(sysctl: Sysctl, act: () => T): T {
  try {
    return act();
  } catch (error) {
    const problem = problemOf(error, sysctl);
    throw problem ? new CniError(ErrorCode.InvalidConfig, ...problem, { cause: error }) : error;
  }
}

function problemOf(error: unknown, { key, name, value }: Sysctl): [msg: string, details: string] | undefined {
  if (isErrno(error, errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG))
    return [
      `unknown sysctl ${show(key)}`,
      `The container's namespace has no /proc/sys/${name}. For the dot in the name of an interface, write a slash: net.ipv4.conf.eth0/100.forwarding.`,
    ];
  if (isErrno(error, errno.EISDIR))
    return [`${show(key)} is a folder of sysctls`, `Name one that is in /proc/sys/${name}.`];
  if (isErrno(error, errno.EINVAL, errno.ERANGE))
    return [
      `sysctl ${key} does not take the value ${show(value)}`,
      `The kernel refused it for /proc/sys/${name}.`,
    ];
  return undefined;
}
