import { getLink, getLinkByIndex, type Link } from "../netlink/link.ts";
import { CniError, ErrorCode } from "../spec/errors.ts";
import type { Namespace } from "./namespace.ts";
import { requireLink } from "./veth.ts";

/**
 * The host's end of a container's veth pair. Code 7 if the interface is no veth, 100 if there is none or its peer is not
 * on the host.
 */
export function requireHostEnd(hostNetns: Namespace, netns: Namespace, ifName: string): Link {
  const inside = requireLink(netns, ifName);
  if (inside.kind !== "veth")
    throw new CniError(
      ErrorCode.InvalidConfig,
      `container interface ${ifName} has no veth peer`,
      `It is ${inside.kind || "a network card"}: only what passes the host's end of a veth pair can be limited, as bridge and ptp make one.`,
    );
  const outside = peerOf(hostNetns, inside);
  if (outside !== undefined) return outside;
  throw new CniError(
    ErrorCode.Plugin,
    `veth peer with index ${inside.lower} is not in host ns`,
    `The other end of ${ifName} was moved to another namespace, or belongs to another host.`,
  );
}

/** As `requireHostEnd`; undefined if there is none. */
export function findHostEnd(hostNetns: Namespace, netns: Namespace, ifName: string): Link | undefined {
  const inside = netns.route.query(getLink(ifName));
  return inside?.kind === "veth" ? peerOf(hostNetns, inside) : undefined;
}

/** The host's end. An index says little in another namespace: what has it must be a veth whose peer has the right one too. */
export function peerOf({ route }: Namespace, inside: Link): Link | undefined {
  if (inside.lowerNamespace === undefined) return undefined;
  const link = route.query(getLinkByIndex(inside.lower));
  return link?.kind === "veth" && link.lower === inside.index ? link : undefined;
}
