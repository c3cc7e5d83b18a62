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
import type { FamilyForwards, PortForwardOwner, PortForwardWish } from "./wish.ts";

export const HOSTPORTS = "CNI-HOSTPORT-DNAT";
const SET_MARK = "CNI-HOSTPORT-SETMARK";
const MASQUERADE = "CNI-HOSTPORT-MASQ";
const CHAIN_LENGTH = 28;
/** XT_MAX_COMMENT_LEN (linux/netfilter/xt_comment.h) without the NUL. */
const COMMENT_LENGTH_MAX = 255;
/** XT_MULTI_PORTS (linux/netfilter/xt_multiport.h) */
const PORTS_MAX = 15;

export type IptablesOwner = Omit<PortForwardOwner, "ifName">;

/** The rules for one family of a wish. */
export interface WantedRules {
  /** The container's chain. */
  readonly chain: string;
  /** The other chains that the rules are in or lead to. */
  readonly commonChains: readonly string[];
  /** What all containers share, and what stays. */
  readonly common: readonly string[];
  /** From CNI-HOSTPORT-DNAT to the container's chain. */
  readonly entries: readonly string[];
  /** The same for ports of one address of the host, which come before those of all. */
  readonly addressEntries: readonly string[];
  /** In the container's chain. */
  readonly ports: readonly string[];
}

/** The chain of all interfaces of a container on a network. */
export function hostPortsChain(host: Host, { network, containerId }: IptablesOwner): string {
  return `CNI-DN-${host.sha512(network + containerId, CHAIN_LENGTH)}`.slice(0, CHAIN_LENGTH);
}

/** Tells the network and the container. */
export function hostPortsComment({ network, containerId }: IptablesOwner): string {
  const comment = `dnat name: "${network}" id: "${containerId}"`;
  return comment.length <= COMMENT_LENGTH_MAX ? comment : `${comment.slice(0, COMMENT_LENGTH_MAX - 3)}...`;
}

export function wantedRules(wish: PortForwardWish, forwards: FamilyForwards): WantedRules {
  const { snat, markMasqBit, externalSetMarkChain } = wish;
  const chain = hostPortsChain(wish.netns.host, wish);
  const bit = `0x${(2 ** markMasqBit).toString(16)}`;
  const local = `-m addrtype --dst-type LOCAL -j ${HOSTPORTS}`;
  const ofAll = forwards.mappings.filter(({ hostIP }) => !hostIP);
  const ofOneAddress = forwards.mappings.filter(({ hostIP }) => hostIP);
  const ownMark = snat && externalSetMarkChain === undefined;
  return {
    chain,
    commonChains: ownMark ? [HOSTPORTS, SET_MARK, MASQUERADE] : [HOSTPORTS],
    common: [
      ...(ownMark
        ? [
            `-A ${SET_MARK} -m comment --comment "CNI portfwd masquerade mark" -j MARK --set-xmark ${bit}/${bit}`,
            `-A ${MASQUERADE} -m mark --mark ${bit}/${bit} -j MASQUERADE`,
            `-A POSTROUTING -m comment --comment "CNI portfwd requiring masquerade" -j ${MASQUERADE}`,
          ]
        : []),
      `-A PREROUTING ${local}`,
      `-A OUTPUT ${local}`,
    ],
    entries: entries(wish, forwards, chain, ofAll),
    addressEntries: entries(wish, forwards, chain, ofOneAddress),
    ports: [...ofOneAddress, ...ofAll].flatMap((mapping) =>
      portRules(mapping, chain, forwards, sources(wish, forwards), externalSetMarkChain ?? SET_MARK),
    ),
  };
}

function entries(
  wish: PortForwardWish,
  { family }: FamilyForwards,
  chain: string,
  mappings: readonly PortMapping[],
): string[] {
  const conditions = conditionsOf(wish, family).map((word) => ` ${quote(word)}`);
  const comment = `-m comment --comment ${quote(hostPortsComment(wish))}`;
  const lines: string[] = [];
  for (const protocol of ["sctp", "tcp", "udp"]) {
    const ports = mappings.filter((mapping) => mapping.protocol === protocol).map(({ hostPort }) => hostPort);
    for (let from = 0; from < ports.length; from += PORTS_MAX) {
      const match = `-m multiport --dports ${ports.slice(from, from + PORTS_MAX)}${conditions.join("")}`;
      lines.push(`-A ${HOSTPORTS} -p ${protocol} ${comment} ${match} -j ${chain}`);
    }
  }
  return lines;
}

/** The words that say which of the family's packets are forwarded. */
export function conditionsOf({ conditionsV4, conditionsV6 }: PortForwardWish, family: 4 | 6): string[] {
  return (family === 4 ? conditionsV4 : conditionsV6).filter((word) => word !== "");
}

/** Of what is forwarded, from where it gets an address of the host as its source: as a part of a rule. */
function sources({ snat, masqAll }: PortForwardWish, { family, target }: FamilyForwards): string[] {
  if (!snat) return [];
  if (masqAll) return [""];
  return [`-s ${target.network} `, ...(family === 4 ? ["-s 127.0.0.1/32 "] : [])];
}

function portRules(
  { protocol, hostPort, containerPort, hostIP }: PortMapping,
  chain: string,
  { target: { ip } }: FamilyForwards,
  marked: readonly string[],
  markChain: string,
): string[] {
  const to = hostIP ? `-d ${hostIP}/${hostIP.bytes.length * 8} ` : "";
  const match = `${to}-p ${protocol} -m ${protocol} --dport ${hostPort}`;
  const address = ip.family === 4 ? `${ip}` : `[${ip}]`;
  return [
    ...marked.map((source) => `-A ${chain} ${source}${match} -j ${markChain}`),
    `-A ${chain} ${match} -j DNAT --to-destination ${address}:${containerPort}`,
  ];
}

/** A word as iptables-save prints it and iptables-restore reads it. */
function quote(word: string): string {
  return /^[^\s"'\\]+$/.test(word) ? word : `"${word.replace(/["'\\]/g, "\\$&")}"`;
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
