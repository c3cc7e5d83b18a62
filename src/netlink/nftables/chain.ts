import { Reader, type Writer } from "../codec.ts";
import { type Dump, NLM_F_CREATE, NLM_F_EXCL, type Query, type Request } from "../message.ts";
import { type Family, familyNamed, HEADER, question, request, type TableId } from "./batch.ts";
import { decodeComment, writeComment } from "./comment.ts";

const NFT_MSG_NEWCHAIN = 3;
const NFT_MSG_GETCHAIN = 4;
const NFT_MSG_DELCHAIN = 5;

const NFTA_CHAIN_TABLE = 1;
const NFTA_CHAIN_NAME = 3;
const NFTA_CHAIN_HOOK = 4;
const NFTA_CHAIN_POLICY = 5;
const NFTA_CHAIN_USE = 6;
const NFTA_CHAIN_TYPE = 7;
const NFTA_CHAIN_USERDATA = 12;

const NFTA_HOOK_HOOKNUM = 1;
const NFTA_HOOK_PRIORITY = 2;

/** NF_INET_* (linux/netfilter.h); the bridge family has the same numbers. */
const hooks = { prerouting: 0, input: 1, forward: 2, output: 3, postrouting: 4 } as const;
const policies = { drop: 0, accept: 1 } as const;

export type Hook = keyof typeof hooks;
export type Policy = keyof typeof policies;

/** NF_IP_PRI_NAT_DST and NF_IP_PRI_NAT_SRC (linux/netfilter_ipv4.h): `dstnat` and `srcnat`. */
export const PRIORITY_DSTNAT = -100;
export const PRIORITY_SRCNAT = 100;
/** NF_IP_PRI_FILTER; NF_BR_PRI_FILTER_BRIDGED (linux/netfilter_bridge.h) in the bridge family: `filter`. */
export const PRIORITY_FILTER = 0;
export const PRIORITY_FILTER_BRIDGED = -200;

export interface ChainId {
  readonly table: TableId;
  readonly name: string;
}

/** Where packets enter a base chain. */
export interface Base {
  readonly type: "filter" | "nat" | "route";
  readonly hook: Hook;
  readonly priority: number;
  /** What becomes of packets at the end of the chain; accept by default. */
  readonly policy?: Policy;
}

export interface Chain extends ChainId {
  /** Absent in a regular chain, which only jumps reach. */
  readonly base?: Base;
  readonly comment?: string;
}

export interface ListedChain extends Chain {
  /** How many rules it has, and how many rules and map elements lead to it. */
  readonly use: number;
}

/** `nft add chain`: one that is there already is fine, if its type, hook and priority are the same (else EEXIST). */
export function addChain(chain: Chain): Request {
  return newChain(chain, NLM_F_CREATE);
}

/** `nft create chain`: EEXIST if there is one. */
export function createChain(chain: Chain): Request {
  return newChain(chain, NLM_F_CREATE | NLM_F_EXCL);
}

/** `nft delete chain`. ENOENT if there is none, EBUSY if it has rules or something leads to it. */
export function deleteChain({ table, name }: ChainId): Request {
  return request(NFT_MSG_DELCHAIN, 0, table.family, `delete chain ${describe(table, name)}`, (into) => {
    into.textAttribute(NFTA_CHAIN_TABLE, table.name).textAttribute(NFTA_CHAIN_NAME, name);
  });
}

/**
 * For `NetlinkSocket.query`: how many rules a chain has, with those that lead to it. Undefined if there is no such chain,
 * or no such table.
 */
export function countUses({ table, name }: ChainId): Query<number> {
  const write = (into: Writer) => {
    into.textAttribute(NFTA_CHAIN_TABLE, table.name).textAttribute(NFTA_CHAIN_NAME, name);
  };
  const decode = (body: Uint8Array) => new Reader(body).attributes(HEADER).get(NFTA_CHAIN_USE)?.be32() ?? 0;
  return question(NFT_MSG_GETCHAIN, table.family, `read chain ${describe(table, name)}`, write, decode);
}

/** `nft list chains`: of all tables of the family, or of all families. */
export function listChains(family?: Family): Dump<ListedChain> {
  return question(NFT_MSG_GETCHAIN, family, "list chains", () => {}, decodeChain);
}

export const describe = (table: TableId, chain: string): string => `${table.family} ${table.name} ${chain}`;

function newChain({ table, name, base, comment }: Chain, flags: number): Request {
  return request(NFT_MSG_NEWCHAIN, flags, table.family, `add chain ${describe(table, name)}`, (into) => {
    into.textAttribute(NFTA_CHAIN_TABLE, table.name).textAttribute(NFTA_CHAIN_NAME, name);
    if (base) {
      into
        .nest(NFTA_CHAIN_HOOK, (hook) =>
          hook
            .be32Attribute(NFTA_HOOK_HOOKNUM, hooks[base.hook])
            .be32Attribute(NFTA_HOOK_PRIORITY, base.priority),
        )
        .textAttribute(NFTA_CHAIN_TYPE, base.type)
        .be32Attribute(NFTA_CHAIN_POLICY, policies[base.policy ?? "accept"]);
    }
    writeComment(into, NFTA_CHAIN_USERDATA, comment);
  });
}

function decodeChain(body: Uint8Array): ListedChain {
  const reader = new Reader(body);
  const attributes = reader.attributes(HEADER);
  const comment = decodeComment(attributes.get(NFTA_CHAIN_USERDATA));
  const hook = attributes.get(NFTA_CHAIN_HOOK)?.attributes();
  return {
    table: { family: familyNamed(reader.u8()), name: attributes.get(NFTA_CHAIN_TABLE)?.text() ?? "" },
    name: attributes.get(NFTA_CHAIN_NAME)?.text() ?? "",
    use: attributes.get(NFTA_CHAIN_USE)?.be32() ?? 0,
    ...(hook && {
      base: {
        type: (attributes.get(NFTA_CHAIN_TYPE)?.text() ?? "filter") as Base["type"],
        hook: nameOf(hooks, hook.get(NFTA_HOOK_HOOKNUM)?.be32()) as Hook,
        priority: (hook.get(NFTA_HOOK_PRIORITY)?.be32() ?? 0) | 0,
        policy: nameOf(policies, attributes.get(NFTA_CHAIN_POLICY)?.be32()) as Policy,
      },
    }),
    ...(comment !== undefined && { comment }),
  };
}

function nameOf(names: Readonly<Record<string, number>>, number: number | undefined): string {
  for (const name in names) if (names[name] === number) return name;
  return `${number}`;
}
