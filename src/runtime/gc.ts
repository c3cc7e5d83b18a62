import type { NetworkConfigList } from "../spec/config.ts";
import type { ValidAttachment } from "../spec/derive.ts";
import { CniError, ErrorCode } from "../spec/errors.ts";
import { isAtLeast } from "../spec/versions.ts";
import { type CachedAttachment, listCache } from "./cache.ts";
import { type CallOptions, type ChainContext, callOne, delNetwork } from "./chain.ts";
import { asCniError, combined } from "./failure.ts";

/**
 * Removes from a network everything but the valid attachments: DEL for those in the cache, then GC of all plugins
 * (from version 1.1.0). All of it is tried; then the failures are thrown as one. Does nothing when the network has
 * `disableGC`.
 */
export async function collectGarbage(
  context: ChainContext,
  network: NetworkConfigList,
  validAttachments: readonly ValidAttachment[],
  options: CallOptions,
): Promise<void> {
  if (network.disableGC) return;
  const { attachments, unreadable } = listCache(context.host, context.cacheDir);
  const failures = unreadable
    .filter((file) => file.startsWith(`${context.cacheDir}/results/${network.name}-`))
    .map((file) => new CniError(ErrorCode.Decoding, `cannot tell whose cache entry ${file} is`));
  const attempt = (work: Promise<unknown>) => work.catch((error) => failures.push(asCniError(error)));

  for (const stale of staleAttachments(attachments, network.name, validAttachments))
    await attempt(delNetwork(context, network, stale, options));
  if (isAtLeast(network.cniVersion, "1.1.0"))
    for (const plugin of network.plugins)
      await attempt(callOne(context, network, plugin, "GC", undefined, { validAttachments }, options));

  if (failures.length > 0) throw combined(`cannot clean up network "${network.name}"`, failures);
}

/** Cached attachments of a network that are not among the valid ones. */
export function staleAttachments(
  cached: readonly CachedAttachment[],
  network: string,
  valid: readonly ValidAttachment[],
): CachedAttachment[] {
  // No container ID and no interface name holds a "/".
  const keep = new Set(valid.map(({ containerID, ifname }) => `${containerID}/${ifname}`));
  return cached.filter(
    (attachment) =>
      attachment.network === network && !keep.has(`${attachment.containerId}/${attachment.ifName}`),
  );
}
