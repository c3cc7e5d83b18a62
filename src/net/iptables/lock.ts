import { check, type Host, LOCK_EX, O_RDONLY } from "../../host/host.ts";

const TIMEOUT_MS = 60_000;

/** One process of ours at a time reads and changes iptables in this network namespace, whose inode is the lock. ETIMEDOUT. */
export function withIptablesLock<T>(host: Host, work: () => T): T {
  const path = "/proc/self/ns/net";
  const fd = host.open(path, O_RDONLY);
  try {
    check("flock", host.sys.flock(fd, LOCK_EX, TIMEOUT_MS), path);
    return work();
  } finally {
    host.close(fd);
  }
}
