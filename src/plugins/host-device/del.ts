import type { Namespace } from "../../net/namespace.ts";
import { getLink } from "../../netlink/link.ts";
import { delAndRelease } from "../../plugin/release.ts";
import type { Cleanup, DelRequest } from "../../plugin/types.ts";
import { INTERFACE_NAME } from "../../spec/names.ts";
import type { HostDeviceConfig } from "./config.ts";
import { giveBack } from "./give-back.ts";
import { type DeviceRecord, readRecord, removeRecord } from "./record.ts";

/** Gives the device back to the host as it was, and the addresses. */
export function del(request: DelRequest<HostDeviceConfig>, cleanup: Cleanup): void {
  const { host, hostNetns, netns, network } = request;
  delAndRelease(request, cleanup, () =>
    cleanup.step("give the device back", () => {
      const record = readRecord(host, request) ?? (netns && recordFromAlias(netns, request));
      // What an ADD that was killed has left of one.
      if (record === undefined) removeRecord(host, request);
      else if (record.network === network) giveBack(hostNetns, record, netns);
    }),
  );
}

/** What the reference leaves of a device: its name as the link's alias. As there it is not brought up. */
function recordFromAlias(
  netns: Namespace,
  { config, network, containerId, ifName }: DelRequest<HostDeviceConfig>,
): DeviceRecord | undefined {
  const link = netns.route.query(getLink(ifName));
  if (!link || !INTERFACE_NAME.test(link.alias)) return undefined;
  // Another network's, if this one's ADD found the name taken.
  if (config.device !== "" && config.device !== link.alias) return undefined;
  const { alias: name, mac, mtu, kind } = link;
  const device = { name, mac: `${mac ?? ""}`, mtu, up: false, alias: "", physical: kind === "" };
  return { network, containerId, ifName, netns: netns.path, ...device };
}
