/**
 * Connections that the kernel goes on translating, or not translating, as it did with their first packet: they do not
 * notice that a port of the host has got another owner. For a client that always uses the same port, as those of UDP
 * do, that lasts for as long as it sends.
 */
import type { Cidr } from "../address/cidr.ts";
import type { Ip } from "../address/ip.ts";
import { errno } from "../host/errno.ts";
import { isErrno } from "../host/host.ts";
import { listAddresses } from "../netlink/address.ts";
import {
  type Connection,
  deleteConnection,
  deleteConnectionsAnsweredBy,
  deleteConnectionsTo,
  hasConntrack,
  IPS_ASSURED,
  IPS_DST_NAT,
  IPS_SRC_NAT,
  listConnections,
} from "../netlink/conntrack.ts";
import { isNetlinkErrno } from "../netlink/error.ts";
import type { Request } from "../netlink/message.ts";
import { protocols } from "../netlink/nftables/match.ts";
import { RT_TABLE_LOCAL, RTN_LOCAL } from "../netlink/route.ts";
import { listRoutes } from "../netlink/route-list.ts";
import type { NetlinkSocket } from "../netlink/socket.ts";
import type { PortMapping } from "../spec/capabilities/port-mappings.ts";
import type { FamilyForwards } from "./hostports/wish.ts";
import type { Namespace } from "./namespace.ts";
import { readSysctl } from "./sysctl.ts";

/** As many entries are read in the time of one walk of the kernel through its table. */
const ENTRIES_PER_WALK = 250;
/** As many deletions by address and port does the kernel do in the time of such a walk. */
const DELETIONS_PER_WALK = 25;
/** How many deletions are sent at once. */
const BATCH = 256;

/** A port that a family's packets go to. */
interface HostPort {
  readonly family: 4 | 6;
  /** IPPROTO_* */
  readonly protocol: number;
  readonly port: number;
}

/**
 * For ports that have just been forwarded: forgets what comes to them and was not translated to the container. The next
 * packet meets the new rules.
 *
 * UDP and SCTP: whoever connects anew by TCP is translated anew. Established connections of SCTP to a program of the
 * host are left to it.
 */
export function forgetEarlierConnections(netns: Namespace, forwards: readonly FamilyForwards[]): void {
  const untold = forwards.map((each) => ({
    ...each,
    mappings: each.mappings.filter(({ protocol }) => protocol !== "tcp"),
  }));
  if (untold.every(({ mappings }) => mappings.length === 0) || countEntries(netns) === 0) return;
  const lasting = untold.map((each) => {
    if (!forgetUdpTo(netns, each)) return each;
    return { ...each, mappings: each.mappings.filter(({ protocol }) => protocol === "sctp") };
  });
  forget(netns, lasting.flatMap(portsOf), (connections) => {
    const isLocal = localAddresses(netns);
    return connections.filter(({ original, reply, status }) => {
      const forward = lasting.find(({ family }) => family === original.destination.family);
      const mapping = forward?.mappings.find(
        ({ protocol, hostPort, hostIP }) =>
          protocols[protocol] === original.protocol &&
          hostPort === original.destinationPort &&
          (hostIP ? hostIP.equals(original.destination) : isLocal(original.destination)),
      );
      if (!forward || !mapping) return false;
      const isTranslated = (status & IPS_DST_NAT) !== 0;
      if (mapping.protocol === "sctp" && !isTranslated && status & IPS_ASSURED) return false;
      return reply.sourcePort !== mapping.containerPort || !reply.source.equals(forward.target.ip);
    });
  });
}

/**
 * For a container that goes: forgets what was translated from the host's ports to its addresses or, if these are not
 * known, to its ports.
 */
export function forgetConnections(
  netns: Namespace,
  mappings: readonly PortMapping[],
  addresses: readonly Cidr[] = [],
): void {
  if (mappings.length === 0 || countEntries(netns) === 0) return;
  const left = addresses.filter(({ ip }) => !forgetAnsweredBy(netns, ip));
  const isKnown = addresses.length > 0;
  const families = isKnown ? new Set(left.map(({ family }) => family)) : ([4, 6] as const);
  const ports = [...families].flatMap((family) => portsOf({ family, mappings }));
  forget(netns, ports, (connections) =>
    connections.filter(
      ({ original, reply, status }) =>
        status & IPS_DST_NAT &&
        (!isKnown || left.some(({ ip }) => ip.equals(reply.source))) &&
        mappings.some(
          ({ protocol, hostPort, containerPort }) =>
            protocols[protocol] === original.protocol &&
            hostPort === original.destinationPort &&
            containerPort === reply.sourcePort,
        ),
    ),
  );
}

/**
 * Forgets what goes to the UDP ports of the host's addresses, also what just came and was translated to the container: it
 * is again. False if the kernel cannot find it by itself, or would need longer for it than for a list of all connections.
 */
function forgetUdpTo(netns: Namespace, { family, mappings }: FamilyForwards): boolean {
  if (family === 6) return false;
  let done = false;
  whereConntrack(netns, (netfilter) => {
    const requests = udpDeletions(netns, mappings);
    done =
      requests.length <= DELETIONS_PER_WALK &&
      requests.every((request) => netfilter.attempt(request, errno.EOPNOTSUPP, errno.EINVAL));
  });
  return done;
}

/**
 * By each address of the host; where it has many, by the port alone: what only passes through the host is then forgotten
 * too, and tracked anew, but not what leaves with another source, for its answers would not find back.
 */
function udpDeletions(netns: Namespace, mappings: readonly PortMapping[]): Request[] {
  const udp = mappings.filter(({ protocol }) => protocol === "udp");
  const general = udp.filter(({ hostIP }) => hostIP === undefined);
  const own = general.length > 0 ? hostAddresses(netns) : [];
  const isMany = general.length * own.length > DELETIONS_PER_WALK;
  return udp.flatMap(({ hostIP, hostPort: port }) => {
    const to = { protocol: protocols.udp, port };
    if (hostIP === undefined && isMany) return [deleteConnectionsTo(4, to, { mask: IPS_SRC_NAT, value: 0 })];
    return (hostIP ? [hostIP] : own).map((at) => deleteConnectionsTo(4, { ...to, at }));
  });
}

function hostAddresses({ route }: Namespace): Ip[] {
  return route.dump(listAddresses({ family: 4 })).map(({ cidr }) => cidr.ip);
}

/** False if the kernel cannot find them by themselves. */
function forgetAnsweredBy(netns: Namespace, ip: Ip): boolean {
  if (ip.family === 6) return false;
  let done = false;
  whereConntrack(netns, (netfilter) => {
    const request = deleteConnectionsAnsweredBy(ip);
    done = netfilter.attempt(request, errno.EOPNOTSUPP, errno.EINVAL);
  });
  return done;
}

/** Reads what goes to the ports, and deletes what is chosen of it. */
function forget(
  netns: Namespace,
  ports: readonly HostPort[],
  choose: (connections: Connection[]) => Connection[],
): void {
  const count = ports.length === 0 ? 0 : countEntries(netns);
  if (count === 0) return;
  whereConntrack(netns, (netfilter) => {
    const atOnce = count < ENTRIES_PER_WALK * (ports.length - 1);
    const connections = atOnce
      ? netfilter.dump(listConnections())
      : ports.flatMap(({ family, ...to }) => netfilter.dump(listConnections({ family, to })));
    if (connections.length > 0) deleteAll(netfilter, choose(connections));
  });
}

function deleteAll(netfilter: NetlinkSocket, connections: readonly Connection[]): void {
  for (let from = 0; from < connections.length; from += BATCH) {
    const requests = connections.slice(from, from + BATCH).map(deleteConnection);
    try {
      netfilter.execute(requests);
    } catch (error) {
      if (!isNetlinkErrno(error, errno.ENOENT)) throw error;
      // One has ended meanwhile, and what became of those behind it is not known.
      for (const request of requests) netfilter.attempt(request, errno.ENOENT);
    }
  }
}

/** Each port once. */
function portsOf({ family, mappings }: Pick<FamilyForwards, "family" | "mappings">): HostPort[] {
  const ports = mappings.map(({ protocol, hostPort }) => ({
    family,
    protocol: protocols[protocol],
    port: hostPort,
  }));
  return ports.filter(
    ({ protocol, port }, index) =>
      ports.findIndex((other) => other.protocol === protocol && other.port === port) === index,
  );
}

/** Whether an address is the host's own, as its routing says, which is asked once and only if needed. */
function localAddresses(netns: Namespace): (ip: Ip) => boolean {
  let networks: Cidr[] | undefined;
  const known = new Map<string, boolean>();
  return (ip) => {
    const key = ip.bytes.join();
    let answer = known.get(key);
    if (answer === undefined) {
      networks ??= netns.route
        .dump(listRoutes({ table: RT_TABLE_LOCAL, type: RTN_LOCAL }))
        .map(({ dst }) => dst);
      answer = networks.some((network) => network.contains(ip));
      known.set(key, answer);
    }
    return answer;
  };
}

/** How many connections the kernel tracks in the namespace; 0 if it tracks none at all. */
function countEntries(netns: Namespace): number {
  try {
    return Number(readSysctl(netns, "net/netfilter/nf_conntrack_count"));
  } catch (error) {
    if (isErrno(error, errno.ENOENT)) return 0;
    throw error;
  }
}

/** Does the work, unless this kernel lets nobody see what it tracks: then the connections end when they are silent. */
function whereConntrack(netns: Namespace, work: (netfilter: NetlinkSocket) => void): void {
  try {
    work(netns.netfilter);
  } catch (error) {
    // Asked only now: nearly everywhere the work succeeds.
    if (hasConntrack(netns)) throw error;
  }
}
