import { errno } from "../../host/errno.ts";
import { isNetlinkErrno } from "../../netlink/error.ts";
import type { Cleanup, DelRequest } from "../../plugin/types.ts";
import { backupPath, readBackup, removeBackup } from "./backup.ts";
import type { TuningConfig } from "./config.ts";
import { restore } from "./settings.ts";

/** The kernel's answers to a value that an interface cannot have, or not now. */
const REFUSALS = [errno.EINVAL, errno.ERANGE, errno.EADDRNOTAVAIL, errno.EBUSY, errno.EOPNOTSUPP] as const;

/** Gives the interface back what ADD changed of it, if it is still there. Sysctls go with the namespace. */
export function del(request: DelRequest<TuningConfig>, cleanup: Cleanup): void {
  const { host, config, netns, ifName } = request;
  cleanup.step(`restore ${ifName}`, () => {
    const path = backupPath(config, request);
    const before = readBackup(host, path);
    try {
      if (netns && before) restore(netns, ifName, before);
    } catch (error) {
      // The interface cannot be as it was: the link below has got a smaller MTU, for example. It would be so each time,
      // and a runtime would never get to the plugin that deletes it.
      if (!isNetlinkErrno(error, ...REFUSALS)) throw error;
    }
    removeBackup(host, path);
  });
}
