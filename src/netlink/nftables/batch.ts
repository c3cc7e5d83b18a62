/** Messages of nf_tables: struct nfgenmsg (linux/netfilter/nfnetlink.h), then attributes in network byte order. */
import { Reader, Writer } from "../codec.ts";
import { type Dump, NLM_F_ACK, type Query, type Request } from "../message.ts";

const NFNL_SUBSYS_NFTABLES = 10;
const NFNL_MSG_BATCH_BEGIN = 0x10;
const NFNL_MSG_BATCH_END = 0x11;
const NFNL_BATCH_GENID = 1;
const NFT_MSG_GETGEN = 16;
const NFTA_GEN_ID = 1;

/** sizeof(struct nfgenmsg): u8 family, u8 version, be16 resource. */
export const HEADER = 4;

/** NFPROTO_* (linux/netfilter.h) by the names that `nft` gives to families of tables. */
const families = { inet: 1, ip: 2, arp: 3, netdev: 5, bridge: 7, ip6: 10 } as const;

export type Family = keyof typeof families;

/** Which table: names are unique within a family. */
export interface TableId {
  readonly family: Family;
  readonly name: string;
}

/** One request of a batch. `messageType` is NFT_MSG_*. */
export function request(
  messageType: number,
  flags: number,
  family: Family,
  what: string,
  write: (into: Writer) => void,
): Request {
  return { type: (NFNL_SUBSYS_NFTABLES << 8) | messageType, flags, body: body(family, write), what };
}

/** A question, for `NetlinkSocket.dump` or `NetlinkSocket.query`. Without family: in all families. */
export function question<T>(
  messageType: number,
  family: Family | undefined,
  what: string,
  write: (into: Writer) => void,
  decode: (body: Uint8Array) => T | undefined,
): Dump<T> & Query<T> {
  return { type: (NFNL_SUBSYS_NFTABLES << 8) | messageType, body: body(family, write), what, decode };
}

/**
 * The requests as one transaction, for `NetlinkSocket.execute`: all of them take place, or none.
 * Answers come for the last one and for those that are refused; that is enough to know.
 *
 * With a `generation`, ERESTART unless the namespace's rules are still of that one: what was read since is true.
 */
export function batch(requests: readonly Request[], generation?: number): Request[] {
  const last = requests.at(-1);
  if (!last) return [];
  return [
    mark(NFNL_MSG_BATCH_BEGIN, last.what, generation),
    ...requests.slice(0, -1),
    { ...last, flags: last.flags | NLM_F_ACK },
    mark(NFNL_MSG_BATCH_END, last.what),
  ];
}

export function familyNamed(number: number): Family {
  for (const name in families) if (families[name as Family] === number) return name as Family;
  throw new RangeError(`unknown family ${number} of an nftables table`);
}

/** The number of the last transaction in the namespace, whosever it was. */
export function readGeneration(): Query<number> {
  const decode = (body: Uint8Array) => new Reader(body).attributes(HEADER).get(NFTA_GEN_ID)?.be32() ?? 0;
  return question(NFT_MSG_GETGEN, undefined, "ask nftables for its generation", () => {}, decode);
}

function mark(type: number, what: string, generation?: number): Request {
  const into = new Writer(HEADER).u8(0).u8(0).be16(NFNL_SUBSYS_NFTABLES);
  if (generation !== undefined) into.be32Attribute(NFNL_BATCH_GENID, generation);
  return { type, flags: 0, body: into.finish(), what };
}

function body(family: Family | undefined, write: (into: Writer) => void): Uint8Array {
  const into = new Writer(512)
    .u8(family === undefined ? 0 : families[family])
    .u8(0)
    .be16(0);
  write(into);
  return into.finish();
}
