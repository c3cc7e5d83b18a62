import type { AddRequest } from "../../plugin/types.ts";
import type { Result } from "../../spec/result.ts";
import { allocate } from "./allocate.ts";
import { type HostLocalConfig, ipamOf, placeFor, rangeSetsFor, requestedIps } from "./config.ts";
import { parseResolvConf } from "./resolv-conf.ts";
import { withStore } from "./store.ts";

/** Reserves an address of each range set. */
export function add(request: AddRequest<HostLocalConfig>): Result {
  const { host, config, args } = request;
  const { routes, resolvConf } = ipamOf(config);
  const sets = rangeSetsFor(request);
  const requested = requestedIps(config, args);
  const dns = resolvConf === "" ? undefined : parseResolvConf(host.readFile(resolvConf));
  const ips = withStore(host, placeFor(request), (store) => {
    store.mendIndex();
    return allocate(store, sets, request, requested);
  });
  return { ips, ...(routes && { routes }), ...(dns && { dns }) };
}
