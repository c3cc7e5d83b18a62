import { errno } from "../../host/errno.ts";
import { type Host, isErrno } from "../../host/host.ts";
import type { Cleanup, GcRequest } from "../../plugin/types.ts";
import { backupName, DRAFT, readBackup } from "./backup.ts";
import { dataDirOf, type TuningConfig } from "./config.ts";

/** Removes backups of attachments that are not in the list. Those of the reference name no network, and stay. */
export function gc(
  { host, config, network, validAttachments }: GcRequest<TuningConfig>,
  cleanup: Cleanup,
): void {
  const dataDir = dataDirOf(config);
  const kept = new Set(validAttachments.map(backupName));
  cleanup.step("remove stale backups", () => {
    for (const file of filesIn(host, dataDir)) {
      const name = file.endsWith(DRAFT) ? file.slice(0, -DRAFT.length) : file;
      const path = `${dataDir}/${file}`;
      const stale = name.endsWith(".json") && !kept.has(name);
      if (stale && readBackup(host, path)?.network === network) host.removeFile(path);
    }
  });
}

function filesIn(host: Host, directory: string): string[] {
  try {
    return host.readDirectory(directory);
  } catch (error) {
    if (isErrno(error, errno.ENOENT)) return [];
    throw error;
  }
}
