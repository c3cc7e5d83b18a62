import { Reader, type Writer } from "../codec.ts";
import { type Dump, mentions, NLM_F_CREATE, NLM_F_EXCL, type Query, type Request } from "../message.ts";
import { HEADER, question, request } from "./batch.ts";
import { decodeComment, writeComment } from "./comment.ts";
import { readData, type Verdict, writeVerdict } from "./expressions.ts";
import type { SetId } from "./set.ts";

const NFT_MSG_NEWSETELEM = 12;
const NFT_MSG_GETSETELEM = 13;
const NFT_MSG_DELSETELEM = 14;

const NFTA_SET_ELEM_LIST_TABLE = 1;
const NFTA_SET_ELEM_LIST_SET = 2;
const NFTA_SET_ELEM_LIST_ELEMENTS = 3;
const NFTA_LIST_ELEM = 1;
const NFTA_SET_ELEM_KEY = 1;
const NFTA_SET_ELEM_DATA = 2;
const NFTA_SET_ELEM_FLAGS = 3;
const NFTA_SET_ELEM_TIMEOUT = 4;
const NFTA_SET_ELEM_USERDATA = 6;
const NFTA_SET_ELEM_KEY_END = 10;
const NFTA_DATA_VALUE = 1;

const NFT_SET_ELEM_INTERVAL_END = 0x1;

/** An element of a set or map. */
export interface Element {
  /** The bytes as they stand in packets; several parts by `concatenate`. */
  readonly key: Uint8Array;
  /** The last key of a range, in interval sets with concatenated keys. The others: see `range`. */
  readonly last?: Uint8Array;
  /** Ends a range: the first key that is no longer in it. */
  readonly isEnd?: boolean;
  /** Of a map: the value, or what becomes of the packet. */
  readonly data?: Uint8Array | Verdict;
  readonly comment?: string;
  /** In sets with `timeout`: how long it stays from now on. Linux 6.12 changes it where the element is there already. */
  readonly timeoutMs?: number;
}

/** `nft add element`: what is there already is fine, unless a map leads it elsewhere (EEXIST). */
export function addElements(set: SetId, elements: readonly Element[]): Request {
  return elementRequest("add", NFT_MSG_NEWSETELEM, NLM_F_CREATE, set, elements);
}

/** `nft create element`: EEXIST if one is there already. */
export function createElements(set: SetId, elements: readonly Element[]): Request {
  return elementRequest("add", NFT_MSG_NEWSETELEM, NLM_F_CREATE | NLM_F_EXCL, set, elements);
}

/** `nft delete element`: ENOENT if one is not there. Keys (and data, if given) must be the same. */
export function deleteElements(set: SetId, elements: readonly Element[]): Request {
  return elementRequest("delete", NFT_MSG_DELSETELEM, 0, set, elements);
}

/** `nft flush set` */
export function flushSet(set: SetId): Request {
  return elementRequest("flush", NFT_MSG_DELSETELEM, 0, set, []);
}

/** For `NetlinkSocket.query`, `nft get element`: undefined if it is not there, or no such set. */
export function getElement(set: SetId, key: Uint8Array): Query<Element> {
  const { family } = set.table;
  const decode = (body: Uint8Array) => decodeElements(body)[0];
  return question(
    NFT_MSG_GETSETELEM,
    family,
    `read an element of ${describe(set)}`,
    listOf(set, [{ key }]),
    decode,
  );
}

/**
 * `nft list set`: lists, one for each message of the kernel. ENOENT if there is no such set.
 *
 * `mention` (ASCII): only elements that contain this text, as in their comments. The others are not decoded.
 */
export function listElements(set: SetId, mention?: string): Dump<Element[]> {
  const decode = (body: Uint8Array) => decodeElements(body, mention);
  const what = `list the elements of ${describe(set)}`;
  return { ...question(NFT_MSG_GETSETELEM, set.table.family, what, listOf(set, []), decode), mention };
}

/** A range of keys of one part, the last one included, as the kernel wants it: where it begins, where it has ended. */
export function range(element: Element, last: Uint8Array): Element[] {
  const end = last.slice();
  // The key behind the last; a range that reaches the end of the space needs none.
  for (let i = end.length - 1; i >= 0; i--) {
    end[i] = end[i]! + 1;
    if (end[i] !== 0) return [element, { key: end, isEnd: true }];
  }
  return [element];
}

/** The parts of a key or of data, each filled up to whole registers. */
export function concatenate(...parts: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + ((length + 3) & ~3), 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += (part.length + 3) & ~3;
  }
  return whole;
}

function elementRequest(
  verb: string,
  messageType: number,
  flags: number,
  set: SetId,
  elements: readonly Element[],
): Request {
  const what = `${verb} elements of ${describe(set)}`;
  return request(messageType, flags, set.table.family, what, listOf(set, elements));
}

function listOf({ table, name }: SetId, elements: readonly Element[]): (into: Writer) => void {
  return (into) => {
    into.textAttribute(NFTA_SET_ELEM_LIST_TABLE, table.name).textAttribute(NFTA_SET_ELEM_LIST_SET, name);
    if (elements.length === 0) return;
    into.nest(NFTA_SET_ELEM_LIST_ELEMENTS, (list) => {
      for (const element of elements) writeElement(list, element);
    });
  };
}

function describe({ table, name }: SetId): string {
  return `${table.family} ${table.name} ${name}`;
}

function writeElement(into: Writer, { key, last, isEnd, data, comment, timeoutMs }: Element): void {
  into.nest(NFTA_LIST_ELEM, (element) => {
    writeValue(element, NFTA_SET_ELEM_KEY, key);
    if (last) writeValue(element, NFTA_SET_ELEM_KEY_END, last);
    if (isEnd) element.be32Attribute(NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
    if (data instanceof Uint8Array) writeValue(element, NFTA_SET_ELEM_DATA, data);
    else if (data) element.nest(NFTA_SET_ELEM_DATA, (nest) => writeVerdict(nest, data));
    if (timeoutMs !== undefined) element.be64Attribute(NFTA_SET_ELEM_TIMEOUT, timeoutMs);
    writeComment(element, NFTA_SET_ELEM_USERDATA, comment);
  });
}

function writeValue(into: Writer, attribute: number, value: Uint8Array): void {
  into.nest(attribute, (nest) => nest.bytesAttribute(NFTA_DATA_VALUE, value));
}

function decodeElements(body: Uint8Array, mention?: string): Element[] {
  if (mention !== undefined && !mentions(body, mention)) return [];
  const list = new Reader(body).attributes(HEADER).get(NFTA_SET_ELEM_LIST_ELEMENTS)?.attributeList() ?? [];
  const wanted = mention === undefined ? list : list.filter(([, { bytes }]) => mentions(bytes, mention));
  return wanted.map(([, element]) => {
    const attributes = element.attributes();
    const last = readData(attributes.get(NFTA_SET_ELEM_KEY_END));
    const data = readData(attributes.get(NFTA_SET_ELEM_DATA));
    const isEnd = ((attributes.get(NFTA_SET_ELEM_FLAGS)?.be32() ?? 0) & NFT_SET_ELEM_INTERVAL_END) !== 0;
    const comment = decodeComment(attributes.get(NFTA_SET_ELEM_USERDATA));
    const timeoutMs = attributes.get(NFTA_SET_ELEM_TIMEOUT)?.be64();
    return {
      key: readData(attributes.get(NFTA_SET_ELEM_KEY)) as Uint8Array,
      ...(last instanceof Uint8Array && { last }),
      ...(isEnd && { isEnd }),
      ...(data && { data }),
      ...(comment !== undefined && { comment }),
      ...(timeoutMs !== undefined && { timeoutMs }),
    };
  });
}
