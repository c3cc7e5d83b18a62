import { Reader, Writer } from "../codec.ts";
import { type Dump, NLM_F_CREATE, type Request } from "../message.ts";
import { familyNamed, HEADER, question, request, type TableId } from "./batch.ts";
import { decodeComment, encodeComment } from "./comment.ts";

const NFT_MSG_NEWSET = 9;
const NFT_MSG_GETSET = 10;
const NFT_MSG_DELSET = 11;

const NFTA_SET_TABLE = 1;
const NFTA_SET_NAME = 2;
const NFTA_SET_FLAGS = 3;
const NFTA_SET_KEY_TYPE = 4;
const NFTA_SET_KEY_LEN = 5;
const NFTA_SET_DATA_TYPE = 6;
const NFTA_SET_DATA_LEN = 7;
const NFTA_SET_DESC = 9;
const NFTA_SET_ID = 10;
const NFTA_SET_USERDATA = 13;
const NFTA_SET_DESC_CONCAT = 2;
const NFTA_LIST_ELEM = 1;
const NFTA_SET_FIELD_LEN = 1;

const NFT_SET_INTERVAL = 0x4;
const NFT_SET_MAP = 0x8;
const NFT_SET_TIMEOUT = 0x10;
const NFT_SET_CONCAT = 0x80;
const NFT_DATA_VERDICT = 0xffffff00;

/** User data of sets (libnftnl, udata.h): the order of the bytes in keys and data, and the comment. */
const KEY_BYTE_ORDER = 0;
const DATA_BYTE_ORDER = 1;
const COMMENT = 7;

/** A data type of `nft`: its number there (datatype.h), its length in bytes, its byte order (1 host, 2 big-endian). */
export interface DataType {
  readonly number: number;
  readonly length: number;
  readonly byteOrder: 1 | 2;
}

export const ipv4Address: DataType = { number: 7, length: 4, byteOrder: 2 };
export const ipv6Address: DataType = { number: 8, length: 16, byteOrder: 2 };
export const etherAddress: DataType = { number: 9, length: 6, byteOrder: 2 };
export const inetProtocol: DataType = { number: 12, length: 1, byteOrder: 2 };
export const inetService: DataType = { number: 13, length: 2, byteOrder: 2 };
export const markType: DataType = { number: 19, length: 4, byteOrder: 1 };
export const interfaceNameType: DataType = { number: 41, length: 16, byteOrder: 1 };

/** In the number of a concatenation each part's number has so many bits. */
const TYPE_BITS = 6;

export interface SetId {
  readonly table: TableId;
  readonly name: string;
}

/** A set, or a map. */
export interface NamedSet extends SetId {
  /** One type, or several for concatenated keys (`ipv4_addr . inet_service`). */
  readonly key: readonly DataType[];
  /** Makes it a map. */
  readonly data?: readonly DataType[] | "verdict";
  /** `flags interval`: elements are ranges. */
  readonly interval?: boolean;
  /** `flags timeout`: elements may have an end. */
  readonly timeout?: boolean;
  readonly comment?: string;
}

export interface ListedSet extends SetId {
  readonly isMap: boolean;
  readonly keyLength: number;
  readonly comment?: string;
}

/** `nft add set`, `nft add map`: one of the same form that is there already is fine. */
export function addSet({
  table,
  name,
  key,
  data,
  interval = false,
  timeout = false,
  comment,
}: NamedSet): Request {
  const flags =
    (interval ? NFT_SET_INTERVAL : 0) |
    (data === undefined ? 0 : NFT_SET_MAP) |
    (timeout ? NFT_SET_TIMEOUT : 0) |
    (interval && key.length > 1 ? NFT_SET_CONCAT : 0);
  return request(
    NFT_MSG_NEWSET,
    NLM_F_CREATE,
    table.family,
    `add set ${table.family} ${table.name} ${name}`,
    (into) => {
      into
        .textAttribute(NFTA_SET_TABLE, table.name)
        .textAttribute(NFTA_SET_NAME, name)
        .be32Attribute(NFTA_SET_FLAGS, flags)
        .be32Attribute(NFTA_SET_KEY_TYPE, numberOf(key))
        .be32Attribute(NFTA_SET_KEY_LEN, lengthOf(key))
        // A number within the transaction; ours are looked up by name.
        .be32Attribute(NFTA_SET_ID, 1);
      if (data === "verdict")
        into.be32Attribute(NFTA_SET_DATA_TYPE, NFT_DATA_VERDICT).be32Attribute(NFTA_SET_DATA_LEN, 0);
      else if (data)
        into
          .be32Attribute(NFTA_SET_DATA_TYPE, numberOf(data))
          .be32Attribute(NFTA_SET_DATA_LEN, lengthOf(data));
      if (flags & NFT_SET_CONCAT) into.nest(NFTA_SET_DESC, (desc) => writeParts(desc, key));
      into.bytesAttribute(NFTA_SET_USERDATA, userData(key, data, comment));
    },
  );
}

/** `nft delete set`. ENOENT if there is none, EBUSY while rules look into it. */
export function deleteSet({ table, name }: SetId): Request {
  return request(
    NFT_MSG_DELSET,
    0,
    table.family,
    `delete set ${table.family} ${table.name} ${name}`,
    (into) => {
      into.textAttribute(NFTA_SET_TABLE, table.name).textAttribute(NFTA_SET_NAME, name);
    },
  );
}

/** `nft list sets`, and maps */
export function listSets(table: TableId): Dump<ListedSet> {
  const write = (into: Writer) => {
    into.textAttribute(NFTA_SET_TABLE, table.name);
  };
  return question(
    NFT_MSG_GETSET,
    table.family,
    `list the sets of ${table.family} ${table.name}`,
    write,
    decodeSet,
  );
}

function writeParts(into: Writer, key: readonly DataType[]): void {
  into.nest(NFTA_SET_DESC_CONCAT, (concat) => {
    for (const { length } of key)
      concat.nest(NFTA_LIST_ELEM, (part) => part.be32Attribute(NFTA_SET_FIELD_LEN, length));
  });
}

/** Tells `nft` how to print keys and data: the byte order of a concatenation is in its parts. */
function userData(key: readonly DataType[], data: NamedSet["data"], comment: string | undefined): Uint8Array {
  const into = new Writer(64);
  into.u8(KEY_BYTE_ORDER).u8(4).u32(byteOrderOf(key));
  if (data !== undefined)
    into
      .u8(DATA_BYTE_ORDER)
      .u8(4)
      .u32(data === "verdict" ? 0 : byteOrderOf(data));
  if (comment !== undefined) into.raw(encodeComment(comment, COMMENT));
  return into.finish();
}

function byteOrderOf(parts: readonly DataType[]): number {
  return parts.length === 1 ? parts[0]!.byteOrder : 0;
}

function numberOf(parts: readonly DataType[]): number {
  return parts.reduce((number, part) => (number << TYPE_BITS) | part.number, 0);
}

/** Each part of a concatenation fills whole registers. */
function lengthOf(parts: readonly DataType[]): number {
  if (parts.length === 1) return parts[0]!.length;
  return parts.reduce((sum, { length }) => sum + ((length + 3) & ~3), 0);
}

function decodeSet(body: Uint8Array): ListedSet {
  const reader = new Reader(body);
  const attributes = reader.attributes(HEADER);
  const comment = decodeComment(attributes.get(NFTA_SET_USERDATA), COMMENT);
  return {
    table: { family: familyNamed(reader.u8()), name: attributes.get(NFTA_SET_TABLE)?.text() ?? "" },
    name: attributes.get(NFTA_SET_NAME)?.text() ?? "",
    isMap: ((attributes.get(NFTA_SET_FLAGS)?.be32() ?? 0) & NFT_SET_MAP) !== 0,
    keyLength: attributes.get(NFTA_SET_KEY_LEN)?.be32() ?? 0,
    ...(comment !== undefined && { comment }),
  };
}
