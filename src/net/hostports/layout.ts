/**
 * What forwards ports in nftables, in each of the families ip and ip6:
 *
 *     table ip cni_hostport {
 *       map forwards            { type inet_proto . inet_service : ipv4_addr . inet_service }
 *       map forwards_by_address { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service }
 *       set masquerade_24       { type ipv4_addr . ipv4_addr }
 *       chain prerouting        { type nat hook prerouting …; fib daddr type local jump hostports_all }
 *       chain output            { type nat hook output …;     fib daddr type local jump hostports_all }
 *       chain hostports_all     { jump hostip_hostports; jump hostports }
 *       chain hostip_hostports  { dnat ip to ip daddr . meta l4proto . th dport map @forwards_by_address }
 *       chain hostports         { dnat ip to meta l4proto . th dport map @forwards }
 *       chain masquerading      { type nat hook postrouting …;
 *                                 ct status dnat ip saddr & 255.255.255.0 . ip daddr @masquerade_24 masquerade }
 *       chain input             { type filter hook input …; what neighbours send to 127.0.0.0/8: drop }
 *     }
 *
 * A port is an element of a map: it costs the same to add, to find and to remove however many there are. Of one network
 * of a container, that is: a second one that is given the same port has a rule behind the map, which takes over when the
 * first has gone. Ports with conditions are rules before it. The chains are those of other implementations of the plugin,
 * which write a rule for each port into `hostports`.
 */
import { type Cidr, everywhere, hostCidr } from "../../address/cidr.ts";
import { Ip } from "../../address/ip.ts";
import type { TableId } from "../../netlink/nftables/batch.ts";
import type { ChainId } from "../../netlink/nftables/chain.ts";
import { concatenate, type Element } from "../../netlink/nftables/element.ts";
import { portBytes, protocolBytes } from "../../netlink/nftables/match.ts";
import {
  inetProtocol,
  inetService,
  ipv4Address,
  ipv6Address,
  type NamedSet,
} from "../../netlink/nftables/set.ts";
import type { PortMapping } from "../../spec/capabilities/port-mappings.ts";
import type { FamilyForwards, PortForwardWish } from "./wish.ts";

export type ChainName =
  | "hostip_hostports"
  | "hostports"
  | "hostports_all"
  | "input"
  | "masquerading"
  | "output"
  | "prerouting";

/** How many rules `hostports` has and how many lead there, if all is whole and the map's is the only one. */
export const HOSTPORTS_USES = 2;

/** An element of ours, and what it is for. */
export interface Entry extends Element {
  readonly set: NamedSet;
  /** Absent where it is for masquerading. */
  readonly mapping?: PortMapping;
}

export function tableOf(family: 4 | 6): TableId {
  return { family: family === 4 ? "ip" : "ip6", name: "cni_hostport" };
}

export function chainOf(family: 4 | 6, name: ChainName): ChainId {
  return { table: tableOf(family), name };
}

/** The elements that a wish stands for in one family: for its ports, and for what is to be masqueraded. */
export function entriesOf(wish: PortForwardWish, forward: FamilyForwards, comment: string): Entry[] {
  const { family, target, mappings } = forward;
  return [
    ...mappings.map((mapping) => ({
      set: forwards(family, mapping.hostIP !== undefined),
      key: keyOf(mapping),
      data: concatenate(target.ip.bytes, portBytes(mapping.containerPort)),
      comment,
      mapping,
    })),
    ...sourcesOf(wish, forward).map(({ networkAddress, prefixLength }) => ({
      set: masqueraded(family, prefixLength),
      key: concatenate(networkAddress.bytes, target.ip.bytes),
      comment,
    })),
  ];
}

/**
 * From where what is forwarded gets an address of the host as its source, so that the answers come back by the host:
 * the container's own network, in which they would go directly, and 127.0.0.1.
 */
export function sourcesOf({ snat, masqAll }: PortForwardWish, forward: FamilyForwards): Cidr[] {
  const { family, target, mappings } = forward;
  if (!snat || mappings.length === 0) return [];
  if (masqAll) return [everywhere(family)];
  const loopback = family === 4 ? [hostCidr(new Ip(Uint8Array.of(127, 0, 0, 1)))] : [];
  return [target.network, ...loopback];
}

function keyOf({ hostIP, protocol, hostPort }: PortMapping): Uint8Array {
  const port = [protocolBytes(protocol), portBytes(hostPort)];
  return hostIP ? concatenate(hostIP.bytes, ...port) : concatenate(...port);
}

/** The map of ports: of one address of the host, or of all. */
export function forwards(family: 4 | 6, byAddress: boolean): NamedSet {
  const address = family === 4 ? ipv4Address : ipv6Address;
  const port = [inetProtocol, inetService];
  return {
    table: tableOf(family),
    name: byAddress ? "forwards_by_address" : "forwards",
    key: byAddress ? [address, ...port] : port,
    data: [address, inetService],
  };
}

/** The set of what is masqueraded: a source's network of that length, and a container's address. */
export function masqueraded(family: 4 | 6, prefixLength: number): NamedSet {
  const address = family === 4 ? ipv4Address : ipv6Address;
  return { table: tableOf(family), name: `masquerade_${prefixLength}`, key: [address, address] };
}
