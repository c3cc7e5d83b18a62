/**
 * What forwards ports in the table nat of iptables:
 *
 *     PREROUTING, OUTPUT     those to an address of the host: to CNI-HOSTPORT-DNAT
 *     POSTROUTING            first of all: to CNI-HOSTPORT-MASQ
 *     CNI-HOSTPORT-DNAT      those to a container's ports: to its chain
 *     CNI-DN-<digits>        a container's chain: for each port a jump to CNI-HOSTPORT-SETMARK for what comes from
 *                            the container's network, one for what comes from 127.0.0.1, and DNAT
 *     CNI-HOSTPORT-SETMARK   sets a bit of the packet's mark
 *     CNI-HOSTPORT-MASQ      masquerades those that have the bit
 *
 * The layout is that of other implementations of the plugin: each removes what another one made. A rule is written here
 * as iptables-save prints it, so that it can be found there.
 */
import type { Host } from "../../host/host.ts";
import type { PortMapping } from "../../spec/capabilities/port-mappings.ts";
import type { PortForwardOwner } from "./wish.ts";

export const HOSTPORTS = "CNI-HOSTPORT-DNAT";
const CHAIN_LENGTH = 28;
/** XT_MAX_COMMENT_LEN (linux/netfilter/xt_comment.h) without the NUL. */
const COMMENT_LENGTH_MAX = 255;

export type IptablesOwner = Omit<PortForwardOwner, "ifName">;

/** The chain of all interfaces of a container on a network. */
export function hostPortsChain(host: Host, { network, containerId }: IptablesOwner): string {
  return `CNI-DN-${host.sha512(network + containerId, CHAIN_LENGTH)}`.slice(0, CHAIN_LENGTH);
}

/** Tells the network and the container. */
export function hostPortsComment({ network, containerId }: IptablesOwner): string {
  const comment = `dnat name: "${network}" id: "${containerId}"`;
  return comment.length <= COMMENT_LENGTH_MAX ? comment : `${comment.slice(0, COMMENT_LENGTH_MAX - 3)}...`;
}

/** A rule of a container's chain, as iptables-save prints it. */
export interface PortRule {
  readonly line: string;
  readonly chain: string;
  /** Protocol, port of the host and address of the host, if it is for one alone: equal for rules of one mapping. */
  readonly key: string;
  /** `tcp 8080` */
  readonly port: string;
  /** The address to which it translates; undefined if it marks. */
  readonly target: string | undefined;
}

/** The rules of the containers' chains, or of one of them. */
export function readPortRules(lines: readonly string[], chain = "CNI-DN-"): PortRule[] {
  return lines.flatMap((line) => {
    if (!line.startsWith(`-A ${chain}`)) return [];
    const read =
      /^-A (\S+) (?:-s \S+ )?(?:-d (\S+)\/\d+ )?-p (\w+) -m \w+ --dport (\d+) -j \S+(?: --to-destination \[?([\da-f.:]+?)\]?:\d+)?$/.exec(
        line,
      );
    if (!read) return [];
    const [, of, hostIP = "", protocol, port, target] = read;
    return [{ line, chain: of!, key: `${protocol} ${port} ${hostIP}`, port: `${protocol} ${port}`, target }];
  });
}

/** The same of a mapping. */
export function keyOf({ protocol, hostPort, hostIP }: PortMapping): string {
  return `${protocol} ${hostPort} ${hostIP ?? ""}`;
}

/** A rule of CNI-HOSTPORT-DNAT that leads to a container's chain. */
export interface Entry {
  readonly line: string;
  readonly chain: string;
  readonly comment: string;
  /** As in `PortRule`. */
  readonly ports: readonly string[];
  /** Nothing but protocol and port must match. */
  readonly unconditional: boolean;
}

export function readEntries(lines: readonly string[]): Entry[] {
  return lines.flatMap((line) => {
    if (!line.startsWith(`-A ${HOSTPORTS} `)) return [];
    const read =
      / -p (\w+) -m comment --comment ("(?:[^"\\]|\\.)*"|\S+) -m multiport --dports ([\d,]+) (.*)-j (CNI-DN-\S+)$/.exec(
        line,
      );
    if (!read) return [];
    const [matched, protocol, comment, ports, conditions, chain] = read;
    return [
      {
        line,
        chain: chain!,
        comment: comment!.replace(/^"|"$/g, "").replace(/\\(.)/g, "$1"),
        ports: ports!.split(",").map((port) => `${protocol} ${port}`),
        unconditional: conditions === "" && line === `-A ${HOSTPORTS}${matched}`,
      },
    ];
  });
}
