import type { Namespace } from "../../net/namespace.ts";
import { withNamespaceLock } from "../../net/namespace-lock.ts";
import { createVrf, enterVrf, findVrf } from "../../net/vrf.ts";
import { type Link, listLinks } from "../../netlink/link.ts";
import { readVrfTable } from "../../netlink/links/vrf.ts";
import { listRoutes } from "../../netlink/route-list.ts";
import { listRules } from "../../netlink/rule.ts";
import type { AddRequest, Undo } from "../../plugin/types.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import type { Result } from "../../spec/result.ts";
import { requireResult, type VrfConfig } from "./config.ts";

/** Puts the container's interface into a VRF, which is made for the first one. */
export function add({ config, netns, ifName, prevResult }: AddRequest<VrfConfig>, undo: Undo): Result {
  const result = requireResult(prevResult);
  withNamespaceLock(netns, () => {
    const links = netns.route.dump(listLinks());
    const link = freeLink(links, ifName, netns);
    const vrf = existingVrf(links, config) ?? undo.keep(makeVrf(netns, links, config)).link;
    undo.keep(enterVrf(netns, link, vrf));
  });
  return result;
}

function freeLink(links: readonly Link[], ifName: string, { path }: Namespace): Link {
  const link = links.find(({ name }) => name === ifName);
  if (link === undefined)
    throw new CniError(
      ErrorCode.Plugin,
      `could not get link by name ${ifName}`,
      `It was looked for in ${path}.`,
    );
  if (link.master === 0) return link;
  const master = links.find(({ index }) => index === link.master)?.name ?? `link ${link.master}`;
  throw new CniError(
    ErrorCode.Plugin,
    `interface ${ifName} has already a master set: ${master}`,
    "An interface belongs to one VRF, bridge or bond. Run DEL to take it out.",
  );
}

function existingVrf(links: readonly Link[], { vrfname, table }: VrfConfig): Link | undefined {
  const vrf = findVrf(links, vrfname);
  const present = vrf && readVrfTable(vrf);
  if (table === 0 || present === undefined || present === table) return vrf;
  throw new CniError(
    ErrorCode.InvalidConfig,
    `VRF ${vrfname} already exist with different routing table ${present}`,
    `The configuration wants table ${table}: leave "table" out, or choose another "vrfname".`,
  );
}

function makeVrf(netns: Namespace, links: readonly Link[], { vrfname, table }: VrfConfig) {
  return createVrf(netns, vrfname, table || firstFreeTable(netns, links));
}

/** That no VRF, rule or route has. */
function firstFreeTable({ route }: Namespace, links: readonly Link[]): number {
  const taken = new Set([...route.dump(listRules()), ...route.dump(listRoutes())].map(({ table }) => table));
  for (const link of links) taken.add(readVrfTable(link));
  let table = 1;
  while (taken.has(table)) table++;
  return table;
}
