import { errno } from "../host/errno.ts";
import { copyAddress, listWholeAddresses, type WholeAddress } from "../netlink/address-copy.ts";
import { createLink, getLink, type Link, setLink } from "../netlink/link.ts";
import { readVrfTable, vrf } from "../netlink/links/vrf.ts";
import { RT_SCOPE_LINK, RT_TABLE_LOCAL, RT_TABLE_MAIN } from "../netlink/route.ts";
import { copyRoute, listWholeRoutes, type WholeRoute } from "../netlink/route-copy.ts";
import { CniError, ErrorCode } from "../spec/errors.ts";
import { allOrNothing } from "./all-or-nothing.ts";
import { gatewaysFirst, routesBy, sourceFor } from "./link-routes.ts";
import type { Namespace } from "./namespace.ts";
import { removeLink } from "./veth.ts";

/** Virtual routing and forwarding: links with a routing table of their own (Documentation/networking/vrf.rst). */

/** The alias of a VRF that was made here. It names no network: several may share the VRF. */
export const VRF_ALIAS = "cni:vrf";

/** The VRF of that name; undefined if there is none. Code 7 if another link has it. */
export function findVrf(links: readonly Link[], name: string): Link | undefined {
  const link = links.find((each) => each.name === name);
  if (link === undefined || link.kind === "vrf") return link;
  throw new CniError(
    ErrorCode.InvalidConfig,
    `"${name}" already exists but is not a VRF`,
    `It is ${link.kind || "a network card"}: choose another "vrfname".`,
  );
}

/** Makes a VRF, and brings it up. `remove` deletes it. */
export function createVrf(netns: Namespace, name: string, table: number): { link: Link; remove(): void } {
  const remove = () => {
    removeLink(netns, name);
  };
  const requests = [
    createLink(vrf(table), { name, up: true }),
    setLink({ index: 0, name }, { alias: VRF_ALIAS }),
  ];
  const link = allOrNothing(() => netns.route.executeThen(requests, getLink(name)), remove);
  return { link: link!, remove };
}

/** What the kernel takes from a link that enters or leaves a VRF: IPv6 addresses, and routes. */
interface Layer3 {
  readonly addresses: readonly WholeAddress[];
  readonly routes: readonly WholeRoute[];
}

/**
 * Puts a link into a VRF, with its addresses; its routes move from the main table to the VRF's, those of other tables
 * stay there. `remove` takes it out again.
 */
export function enterVrf(netns: Namespace, link: Link, master: Link): { remove(): void } {
  const { route } = netns;
  const table = readVrfTable(master)!;
  const before: Layer3 = {
    addresses: route
      .dump(listWholeAddresses({ link: link.index, family: 6 }))
      .filter(({ scope }) => scope < RT_SCOPE_LINK),
    routes: routesBy(link.index, route.dump(listWholeRoutes())).filter(
      (each) => each.table !== RT_TABLE_LOCAL,
    ),
  };
  const remove = () => {
    if (!route.attempt(setLink(link, { master: 0 }), errno.ENODEV)) return;
    restore(netns, link, before);
  };
  allOrNothing(() => {
    route.execute([setLink(link, { master: master.index })]);
    restore(netns, link, before, table);
  }, remove);
  return { remove };
}

/** Gives back what was taken; `vrfTable` is that of the VRF which the link is in now, if it is in one. */
function restore(
  { route }: Namespace,
  link: Link,
  { addresses, routes }: Layer3,
  vrfTable?: number | undefined,
): void {
  const present = route.dump(listWholeAddresses({ link: link.index, family: 6 }));
  const missing = addresses.filter(({ cidr }) => !present.some((other) => other.cidr.equals(cidr)));
  route.execute(missing.map(copyAddress));
  const copies = gatewaysFirst(routes).map((each) => {
    const table = each.table === RT_TABLE_MAIN && vrfTable !== undefined ? vrfTable : each.table;
    return copyRoute(each, { table, source: sourceFor(each, table, vrfTable) });
  });
  // The kernel has made those that come with an address, and nobody else's are replaced.
  route.execute(copies, errno.EEXIST);
}
