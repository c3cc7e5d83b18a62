/**
 * The firewall by nftables: a table whose rules never change, and sets of what they are about.
 *
 * A set has each key once. So `addresses` have one owner, told by the comment, and who else has the same address
 * stands in `shared`. Who has a policy for a bridge is an element of the map `attachments`, which no rule
 * looks into: the element leads to the bridge's chain, where the kernel counts it, and the last one's removal is seen.
 */
import { errno } from "../../host/errno.ts";
import type { Host } from "../../host/host.ts";
import { isNetlinkErrno } from "../../netlink/error.ts";
import type { Request } from "../../netlink/message.ts";
import { batch, type TableId } from "../../netlink/nftables/batch.ts";
import { addChain, type ChainId, countUses } from "../../netlink/nftables/chain.ts";
import {
  addElements,
  concatenate,
  createElements,
  deleteElements,
  type Element,
  getElement,
} from "../../netlink/nftables/element.ts";
import { jump } from "../../netlink/nftables/expressions.ts";
import { interfaceBytes } from "../../netlink/nftables/match.ts";
import type { SetId } from "../../netlink/nftables/set.ts";
import { hasNftables } from "../../netlink/nftables/support.ts";
import type { NetlinkSocket } from "../../netlink/socket.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import { ownerComment } from "../masquerade/owner.ts";
import type { Namespace } from "../namespace.ts";
import type { Owner } from "../owned.ts";
import type { FirewallWish } from "./wish.ts";

export const TABLE: TableId = { family: "inet", name: "cni_plugins_firewall" };
/** What only passes through a bridge, from port to port, is seen by tables of this family alone. */
export const SWITCHED: TableId = { family: "bridge", name: TABLE.name };
export const FORWARD: ChainId = { table: TABLE, name: "forward" };
export const SWITCHED_FORWARD: ChainId = { table: SWITCHED, name: "forward" };
/** How many rules these have: with as many, they are taken to be whole. */
export const FORWARD_RULES = 8;
export const SWITCHED_RULES = 1;
export const DEFAULT_ADMIN_CHAIN = "CNI-ADMIN";

const set = (name: string, table = TABLE): SetId => ({ table, name });

/** The containers' addresses. */
export const addressSet = (family: 4 | 6): SetId => set(`addresses${family}`);
/** Address and further owner, where several have the same. */
export const sharedSet = (family: 4 | 6): SetId => set(`shared${family}`);
/** Bridges with a policy; the same twice, for from there to there; those whose containers are isolated. */
export const BRIDGES = set("bridges");
export const WITHIN = set("within");
export const ISOLATED = set("isolated");
/** Ports of isolated containers. */
export const PORTS = set("isolated", SWITCHED);
export const ATTACHMENTS = set("attachments");

/** What a policy needs: entries for the bridge, as long as attachments lead to their chain. */
export type Claim = "bridge" | "isolated";
const CLAIM_LETTER = { bridge: "b", isolated: "i", address: "a" } as const;
/** With the letter and a NUL they fill the name of an interface, as which `nft` prints them. */
const KEY_DIGITS = 14;
/** How often others may change what we have just seen. */
const ATTEMPTS = 5;

/** What makes the tables and chains; in a module of its own, since it is needed but once. */
export interface Framework {
  /** Requests that make what is missing for this wish. */
  requests(wish: FirewallWish): Request[];
}

/** Lets the container's packets pass, in one transaction. Code 100 if this kernel has no nftables. */
export function acceptByNftables(wish: FirewallWish, framework: Framework | undefined): void {
  const comment = ownerComment(wish.netns.host, wish);
  withNftables(wish.netns, (netfilter) => {
    const base = framework?.requests(wish) ?? [];
    let entries = addresses(wish, comment, createElements);
    for (let attempt = 1; ; attempt++) {
      try {
        netfilter.execute(batch([...base, ...entries, ...claims(wish, comment)]));
        return;
      } catch (error) {
        // Somebody has such an address, or we have; or a bridge's last container took its chain away just now.
        if (!isNetlinkErrno(error, errno.EEXIST, errno.ENOENT) || attempt === ATTEMPTS) throw error;
        entries = [
          ...endings(wish),
          ...addresses(wish, comment, addElements),
          ...furtherOwners(wish, comment),
        ];
      }
    }
  });
}

/** Whether tables and chains are there as the wish needs them. Code 100 if this kernel has no nftables. */
export function hasFramework({ netns, adminChain, ingress }: FirewallWish): boolean {
  return withNftables(
    netns,
    (netfilter) =>
      // Of another one, only reading all rules would tell.
      adminChain === DEFAULT_ADMIN_CHAIN &&
      isWhole(netfilter, FORWARD, FORWARD_RULES) &&
      (ingress?.policy !== "isolated" || isWhole(netfilter, SWITCHED_FORWARD, SWITCHED_RULES)),
  );
}

export function isWhole(netfilter: NetlinkSocket, chain: ChainId, rules: number): boolean {
  return netfilter.query(countUses(chain)) === rules;
}

function withNftables<T>(netns: Namespace, work: (netfilter: NetlinkSocket) => T): T {
  try {
    return work(netns.netfilter);
  } catch (error) {
    if (hasNftables(netns)) throw error;
    const details = 'Load the module nf_tables, or choose "backend": "iptables".';
    throw new CniError(ErrorCode.Plugin, "this kernel has no nftables", details, { cause: error });
  }
}

/** The key of an attachment in a set. */
export function attachmentKey(host: Host, { network, containerId, ifName }: Owner, claim: Claim | "address") {
  const digits = host.sha512(`${network}/${containerId}/${ifName}`, KEY_DIGITS);
  return interfaceBytes(digits + CLAIM_LETTER[claim]);
}

/** The chain that counts the attachments. It has no rules. */
export function countingChain(claim: Claim, bridge: string): ChainId {
  return { table: TABLE, name: `${claim}-${bridge}` };
}

/** What stands in sets for a bridge that is claimed. */
export function bridgeEntries(claim: Claim, bridge: string): [SetId, Element][] {
  const key = interfaceBytes(bridge);
  if (claim === "isolated") return [[ISOLATED, { key }]];
  return [
    [BRIDGES, { key }],
    [WITHIN, { key: concatenate(key, key) }],
  ];
}

export function claimsOf(policy: "same-bridge" | "isolated"): Claim[] {
  return policy === "isolated" ? ["bridge", "isolated"] : ["bridge"];
}

/** A request for each: only some 400 would go into one. */
function addresses(
  { addresses: all }: FirewallWish,
  comment: string,
  request: typeof addElements,
): Request[] {
  return all.map(({ family, ip }) => request(addressSet(family), [{ key: ip.bytes, comment }]));
}

/** Removes what has been given up, but is still there for a tick: it would keep its former owner's name. */
function endings({ netns: { netfilter }, addresses: all }: FirewallWish): Request[] {
  return all.flatMap(({ family, ip }) => {
    const element = netfilter.query(getElement(addressSet(family), ip.bytes));
    return element?.timeoutMs ? [deleteElements(addressSet(family), [element])] : [];
  });
}

function furtherOwners({ netns, addresses: all, ...owner }: FirewallWish, comment: string): Request[] {
  const key = attachmentKey(netns.host, owner, "address");
  return all.map(({ ip, family }) =>
    addElements(sharedSet(family), [{ key: concatenate(ip.bytes, key), comment }]),
  );
}

function claims({ netns, ingress, ...owner }: FirewallWish, comment: string): Request[] {
  if (ingress === undefined) return [];
  const { policy, router, port } = ingress;
  const requests = claimsOf(policy).flatMap((claim) => {
    const chain = countingChain(claim, router);
    const isThere = netns.netfilter.query(countUses(chain)) !== undefined;
    return [
      // To add it once more would be a change, which costs a grace period.
      ...(isThere ? [] : [addChain(chain)]),
      ...bridgeEntries(claim, router).map(([into, element]) => addElements(into, [element])),
      addElements(ATTACHMENTS, [
        { key: attachmentKey(netns.host, owner, claim), data: jump(chain.name), comment },
      ]),
    ];
  });
  if (policy === "isolated" && port !== undefined)
    requests.push(addElements(PORTS, [{ key: interfaceBytes(port), comment }]));
  return requests;
}
