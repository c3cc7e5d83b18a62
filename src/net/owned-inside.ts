import { errno } from "../host/errno.ts";
import type { Host } from "../host/host.ts";
import { deleteLink, getLink } from "../netlink/link.ts";
import { CniError, ErrorCode } from "../spec/errors.ts";
import { type Namespace, openNamespace } from "./namespace.ts";
import { isAnothers, type Owner, removeOwned } from "./owned.ts";

/** Links whose only end is in the container: macvlan, ipvlan, vlan, dummy, tap. They carry their owner's name there. */

/** `ID PARENT MAJOR:MINOR ROOT MOUNTPOINT …` (proc_pid_mountinfo(5)) where a network namespace is mounted. */
const MOUNTED_NAMESPACE = /^\d+ \d+ \S+ (net:\[\d+\]) (\S+) /gm;

/**
 * Deletes the container's interface of this kind: by its name, unless it is marked as another attachment's; else by
 * its owner, for the container may have renamed it. What is gone already is no error.
 */
export function removeOwnedInside(netns: Namespace, kind: string, owner: Owner): void {
  const { route } = netns;
  const link = route.query(getLink(owner.ifName));
  if (link?.kind === kind && !isAnothers(link, owner)) route.attempt(deleteLink(link), errno.ENODEV);
  else removeOwned(netns, kind, owner);
}

/**
 * The network namespaces that are mounted somewhere, as container engines do it below /run/netns and the like; each is
 * open for its turn only. Those that are held by processes alone are left out: they may be of containers in containers,
 * which have networks of the same names.
 */
export function* containerNamespaces(host: Host): Generator<Namespace> {
  const paths = new Map<string, string>();
  for (const [, namespace, path] of host.readFile("/proc/self/mountinfo").matchAll(MOUNTED_NAMESPACE))
    paths.set(namespace!, withoutEscapes(path!));
  for (const path of paths.values()) {
    const netns = openIfAny(host, path);
    if (netns === undefined) continue;
    try {
      yield netns;
    } finally {
      netns.close();
    }
  }
}

/** Spaces and the like are written in octal: \040. */
function withoutEscapes(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

/** Undefined for what has gone meanwhile, what another mount hides, and the process's own namespace. */
function openIfAny(host: Host, path: string): Namespace | undefined {
  try {
    return openNamespace(host, path);
  } catch (error) {
    if (error instanceof CniError && error.code === ErrorCode.InvalidNetns) return undefined;
    throw error;
  }
}
