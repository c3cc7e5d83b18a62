import { everywhere } from "../../address/cidr.ts";
import { openNetns } from "../../plugin/request.ts";
import type { AddRequest, Undo } from "../../plugin/types.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import { show } from "../../spec/json.ts";
import type { Result, Route } from "../../spec/result.ts";
import { readResult } from "../../spec/results/index.ts";
import { isAtLeast, NEWEST_VERSION } from "../../spec/versions.ts";
import { askDaemon, attachmentOf, calling } from "./ask.ts";
import type { DhcpConfig } from "./config.ts";
import { release } from "./del.ts";
import { wishOf } from "./wish.ts";

/** Has the daemon get a lease for the container's interface, which must be there already. */
export function add(request: AddRequest<DhcpConfig>, undo: Undo): Result {
  const netns = absoluteNetns(request);
  const wish = wishOf(request, request.args);
  undo.add("give the lease back", () => void release(request));
  const id = attachmentOf(request);
  const answer = calling("Allocate", () => askDaemon(request, { command: "ADD", ...id, netns, wish }));
  const { ips, routes, dns } = readResult(answer, NEWEST_VERSION);
  return {
    ips: ips?.map(({ interface: _, ...ip }) => ip),
    routes: routes?.map((route) => withoutScope(route, request.cniVersion)),
    ...(dns && { dns }),
  };
}

/** The daemon is in another directory. Code 8 for what is no namespace, or would be another one for the daemon. */
function absoluteNetns({ host, netns }: AddRequest<DhcpConfig>): string {
  const path = host.variable("CNI_NETNS") ?? "";
  // The plugin that called us in its own process has opened it.
  if (!netns) openNetns(host).close();
  if (/^\/proc\/(self|thread-self)\//.test(path))
    throw new CniError(
      ErrorCode.InvalidNetns,
      `CNI_NETNS ${show(path)} leads elsewhere for the DHCP daemon`,
      "Name the namespace as /run/netns/NAME or /proc/PID/ns/net.",
    );
  return path.startsWith("/") ? path : `${host.readLink("/proc/self/cwd")}/${path}`;
}

/** Before 1.1.0 routes have no scope: a gateway of 0.0.0.0 says that there is none, as with the reference. */
function withoutScope({ scope, ...route }: Route, cniVersion: string): Route {
  if (isAtLeast(cniVersion, "1.1.0")) return scope === undefined ? route : { ...route, scope };
  return { ...route, gw: route.gw ?? everywhere(route.dst.family).ip };
}
