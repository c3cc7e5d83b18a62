import { getLink, getLinkByIndex, type Link } from "../netlink/link.ts";
import { RT_TABLE_MAIN, RTN_UNICAST } from "../netlink/route.ts";
import { listRoutes } from "../netlink/route-list.ts";
import { CniError, ErrorCode } from "../spec/errors.ts";
import type { Namespace } from "./namespace.ts";

/** The link that containers' macvlan, ipvlan and vlan links are made on. */

/** The link of that name, or without a name that of the default route. Code 7 if there is none. */
export function findMaster(netns: Namespace, name = ""): Link {
  return name === "" ? ofDefaultRoute(netns) : byName(netns, name);
}

function byName({ route, path }: Namespace, name: string): Link {
  const link = route.query(getLink(name));
  if (link !== undefined) return link;
  throw new CniError(
    ErrorCode.InvalidConfig,
    `failed to lookup master "${name}": link not found`,
    `"master" names a link of ${path || "the host"}: correct it, or make the link first.`,
  );
}

/** Of several default routes that of the lowest metric, of IPv4 if there is one. */
function ofDefaultRoute({ route, path }: Namespace): Link {
  const [best] = route
    .dump(listRoutes({ table: RT_TABLE_MAIN, type: RTN_UNICAST }))
    .filter(({ dst }) => dst.prefixLength === 0)
    .sort((a, b) => a.dst.family - b.dst.family || a.priority - b.priority);
  const index = best?.link ?? best?.nextHops?.[0]?.link;
  const link = index === undefined ? undefined : route.query(getLinkByIndex(index));
  if (link !== undefined) return link;
  throw new CniError(
    ErrorCode.InvalidConfig,
    "no default route interface found",
    `Without "master" it is the link of the default route, of which ${path || "the host"} has none: name a link.`,
  );
}

/** Refuses, with code 7, an MTU that does not go through the master. 0 is the master's own. */
export function checkMtu(mtu: number, master: Link): void {
  if (mtu >= 0 && mtu <= master.mtu) return;
  throw new CniError(
    ErrorCode.InvalidConfig,
    `invalid MTU ${mtu}, must be [0, master MTU(${master.mtu})]`,
    `The master is ${master.name}. 0 takes its MTU.`,
  );
}
