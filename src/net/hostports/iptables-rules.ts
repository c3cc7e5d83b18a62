/** The rules that a wish stands for in iptables. */
import type { PortMapping } from "../../spec/capabilities/port-mappings.ts";
import { HOSTPORTS, hostPortsChain, hostPortsComment } from "./iptables-layout.ts";
import type { FamilyForwards, PortForwardWish } from "./wish.ts";

const SET_MARK = "CNI-HOSTPORT-SETMARK";
const MASQUERADE = "CNI-HOSTPORT-MASQ";
/** XT_MULTI_PORTS (linux/netfilter/xt_multiport.h) */
const PORTS_MAX = 15;

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
