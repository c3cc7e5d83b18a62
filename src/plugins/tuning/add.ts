import type { MacAddress } from "../../address/mac.ts";
import { requireLink } from "../../net/veth.ts";
import { type Link, setLink } from "../../netlink/link.ts";
import type { AddRequest, Undo } from "../../plugin/types.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import type { Result } from "../../spec/result.ts";
import { checkAllowed } from "./allowlist.ts";
import { backupPath, saveBackup } from "./backup.ts";
import type { TuningConfig } from "./config.ts";
import { changeTo, pick, restore, type Settings, settingsIn, settingsOf } from "./settings.ts";
import { setSysctl } from "./sysctl.ts";
import { requirePrevResult, wishOf } from "./wish.ts";

/** Sets sysctls of the container's namespace, then settings of the interface, whose old values it writes down. */
export function add(request: AddRequest<TuningConfig>, undo: Undo): Result {
  const { host, netns, ifName } = request;
  const { settings, sysctls } = wishOf(request);
  const prevResult = requirePrevResult(request);
  checkAllowed(host, sysctls);
  for (const sysctl of sysctls) setSysctl(netns, sysctl, undo);
  if (settingsIn(settings).length === 0) return prevResult;
  change(request, settings, undo);
  return withSettings(prevResult, ifName, settings);
}

function change(
  { host, config, netns, network, ...own }: AddRequest<TuningConfig>,
  set: Settings,
  undo: Undo,
) {
  const link = requireLink(netns, own.ifName);
  const now = settingsOf(link);
  requireSameLength(link, set.mac);
  undo.keep(saveBackup(host, { path: backupPath(config, own), network, now, set }));
  undo.add(`restore ${link.name}`, () => restore(netns, link.name, pick(now, settingsIn(set))));
  netns.route.execute([setLink(link, changeTo(set))]);
}

/** The kernel would take the first bytes of an address that is too long. */
function requireSameLength({ name, mac: present }: Link, wished: MacAddress | undefined): void {
  if (wished && present && wished.bytes.length !== present.bytes.length)
    throw new CniError(
      ErrorCode.InvalidConfig,
      `MAC address ${wished} is none for ${name}`,
      `It has ${wished.bytes.length} bytes, those of ${name} have ${present.bytes.length}.`,
    );
}

/** The result with the container's interface as it is now. */
function withSettings(result: Result, ifName: string, { mac, mtu }: Settings): Result {
  const changed = { ...(mac && { mac: `${mac}` }), ...(mtu && { mtu }) };
  return {
    ...result,
    interfaces: result.interfaces?.map((one) =>
      one.name === ifName && one.sandbox ? { ...one, ...changed } : one,
    ),
  };
}
