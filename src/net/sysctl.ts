import { errno } from "../host/errno.ts";
import { isErrno, O_RDONLY, O_WRONLY } from "../host/host.ts";
import type { Namespace } from "./namespace.ts";

const TIMEOUT_MS = 5_000;

/** Reads a kernel setting as the namespace sees it. `name` has slashes, since interfaces may have dots: net/ipv4/ip_forward. */
export function readSysctl({ host, fd: netns }: Namespace, name: string): string {
  const fd = host.openIn(netns, `/proc/sys/${name}`, O_RDONLY);
  try {
    return host.decode(host.readAll(fd, 4096, TIMEOUT_MS, name)).trim();
  } finally {
    host.close(fd);
  }
}

export function writeSysctl({ host, fd: netns }: Namespace, name: string, value: string): void {
  const fd = host.openIn(netns, `/proc/sys/${name}`, O_WRONLY);
  try {
    host.write(fd, host.encode(value), `/proc/sys/${name}`);
  } finally {
    host.close(fd);
  }
}

/** Writes only what differs: /proc/sys may be read-only where all is set already. */
export function ensureSysctl(netns: Namespace, name: string, value: string): void {
  if (readSysctl(netns, name) !== value) writeSysctl(netns, name, value);
}

/**
 * As `ensureSysctl`, for what is better so, but not needed: where /proc/sys is read-only, as in many a container, or
 * the kernel has no such setting, nothing changes.
 */
export function preferSysctl(netns: Namespace, name: string, value: string): void {
  try {
    ensureSysctl(netns, name, value);
  } catch (error) {
    if (!isErrno(error, errno.EROFS, errno.ENOENT)) throw error;
  }
}

/** Lets the namespace forward packets of these families. It stays so: other containers need it too. */
export function enableForwarding(netns: Namespace, families: Iterable<4 | 6>): void {
  for (const family of new Set(families))
    ensureSysctl(netns, family === 4 ? "net/ipv4/ip_forward" : "net/ipv6/conf/all/forwarding", "1");
}
