import { gcAndRelease } from "../../plugin/release.ts";
import type { Cleanup, GcRequest } from "../../plugin/types.ts";
import type { HostDeviceConfig } from "./config.ts";
import { giveBack } from "./give-back.ts";
import { listRecords } from "./record.ts";

/** Gives devices and addresses of attachments back that are not in the list. */
export function gc(request: GcRequest<HostDeviceConfig>, cleanup: Cleanup): void {
  const { host, hostNetns, network, validAttachments } = request;
  const key = ({ containerId, ifName }: { containerId: string; ifName: string }) =>
    `${containerId}/${ifName}`;
  const valid = new Set(validAttachments.map(key));
  gcAndRelease(request, cleanup, () => {
    for (const record of listRecords(host, network).filter((one) => !valid.has(key(one))))
      cleanup.step(`give ${record.name} back`, () => giveBack(hostNetns, record));
  });
}
