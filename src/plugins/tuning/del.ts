import type { Cleanup, DelRequest } from "../../plugin/types.ts";
import { backupPath, readBackup } from "./backup.ts";
import type { TuningConfig } from "./config.ts";
import { restore } from "./settings.ts";

/** Gives the interface back what ADD changed of it, if it is still there. Sysctls go with the namespace. */
export function del(request: DelRequest<TuningConfig>, cleanup: Cleanup): void {
  const { host, config, netns, ifName } = request;
  cleanup.step(`restore ${ifName}`, () => {
    const path = backupPath(config, request);
    const before = readBackup(host, path);
    if (netns && before) restore(netns, ifName, before);
    host.removeFile(path);
  });
}
