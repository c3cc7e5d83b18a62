import type { CheckRequest } from "../../plugin/types.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import { type HostLocalConfig, placeFor, rangeSetsFor } from "./config.ts";
import { rangeOf } from "./range.ts";
import { withStoreIfAny } from "./store.ts";

/** Finds out whether the attachment still holds the addresses that ADD gave. Code 100 if not. */
export function check(request: CheckRequest<HostLocalConfig>): void {
  const { host, containerId, ifName, prevResult } = request;
  const sets = rangeSetsFor(request);
  const place = placeFor(request);
  const held = withStoreIfAny(host, place, (store) => {
    store.mendIndex();
    return store.find({ containerId, ifName });
  });
  if (!held || held.length === 0)
    throw new CniError(
      ErrorCode.Plugin,
      `host-local: Failed to find address added by container ${containerId}`,
      `No file in ${place.directory} names it with interface ${ifName}.`,
    );
  for (const { address } of prevResult?.ips ?? [])
    if (sets.some((set) => rangeOf(set, address.ip)) && !held.includes(address.ip.toString()))
      throw new CniError(
        ErrorCode.Plugin,
        `host-local: ${address.ip} is not reserved for container ${containerId}`,
        `${place.directory} holds ${held.join(", ")} for its interface ${ifName}.`,
      );
}
