/**
 * What rules are made of: expressions load values into registers, compare and change them, and decide.
 * Wire: lists of NFTA_LIST_ELEM, each a name and the attributes of that kind (linux/netfilter/nf_tables.h).
 */
import { type Attributes, NO_ATTRIBUTES, type Reader, type Writer } from "../codec.ts";

const NFTA_LIST_ELEM = 1;
const NFTA_EXPR_NAME = 1;
const NFTA_EXPR_DATA = 2;
const NFTA_META_DREG = 1;
const NFTA_META_KEY = 2;
const NFTA_PAYLOAD_DREG = 1;
const NFTA_PAYLOAD_BASE = 2;
const NFTA_PAYLOAD_OFFSET = 3;
const NFTA_PAYLOAD_LEN = 4;
const NFTA_CMP_SREG = 1;
const NFTA_CMP_OP = 2;
const NFTA_CMP_DATA = 3;
const NFTA_BITWISE_SREG = 1;
const NFTA_BITWISE_DREG = 2;
const NFTA_BITWISE_LEN = 3;
const NFTA_BITWISE_MASK = 4;
const NFTA_BITWISE_XOR = 5;
const NFTA_IMMEDIATE_DREG = 1;
const NFTA_IMMEDIATE_DATA = 2;
const NFTA_DATA_VALUE = 1;
const NFTA_DATA_VERDICT = 2;
const NFTA_VERDICT_CODE = 1;
const NFTA_VERDICT_CHAIN = 2;
const NFTA_LOOKUP_SET = 1;

const NFT_REG_VERDICT = 0;
const NFT_REG32_00 = 8;
const NFT_CMP_EQ = 0;
const NFT_CMP_NEQ = 1;

/** Verdict codes: NF_* (linux/netfilter.h), NFT_* as the u32 that they are on the wire. */
const NF_DROP = 0;
const NF_ACCEPT = 1;
const NFT_JUMP = -3;
const NFT_GOTO = -4;
const NFT_RETURN = -5;

/** Appends one or more expressions to a rule. */
export type Expression = (into: Writer) => void;

/** Something of a packet that can be loaded into a register, to be compared or looked up. */
export interface Field {
  /** In bytes. */
  readonly length: number;
  readonly load: (register: number) => Expression;
}

export interface MatchOptions {
  /** Match what is different. */
  readonly not?: boolean;
  /** Compare these bits alone. */
  readonly mask?: Uint8Array;
}

export function expression(name: string, write: (data: Writer) => void = () => {}): Expression {
  return (into) => {
    into.nest(NFTA_LIST_ELEM, (element) =>
      element.textAttribute(NFTA_EXPR_NAME, name).nest(NFTA_EXPR_DATA, write),
    );
  };
}

/** A register of four bytes; a longer value takes those behind it too. `nft` calls the first one "reg 1". */
export const register = (index: number): number => (index === 0 ? 1 : NFT_REG32_00 + index);

/** Bytes of a header. `base`: NFT_PAYLOAD_LL_HEADER 0, NETWORK_HEADER 1, TRANSPORT_HEADER 2. */
export function payload(base: number, offset: number, length: number): Field {
  const load = (into: number) =>
    expression("payload", (data) =>
      data
        .be32Attribute(NFTA_PAYLOAD_DREG, into)
        .be32Attribute(NFTA_PAYLOAD_BASE, base)
        .be32Attribute(NFTA_PAYLOAD_OFFSET, offset)
        .be32Attribute(NFTA_PAYLOAD_LEN, length),
    );
  return { length, load };
}

/** What the kernel knows about the packet. `key`: NFT_META_*. */
export function meta(key: number, length: number): Field {
  const load = (into: number) =>
    expression("meta", (data) => data.be32Attribute(NFTA_META_DREG, into).be32Attribute(NFTA_META_KEY, key));
  return { length, load };
}

/** The packet goes on to the next expression if the field has this value. */
export function match(field: Field, value: Uint8Array, { not = false, mask }: MatchOptions = {}): Expression {
  const from = register(0);
  return (into) => {
    field.load(from)(into);
    if (mask) bitwise(from, mask, new Uint8Array(mask.length))(into);
    expression("cmp", (data) =>
      data
        .be32Attribute(NFTA_CMP_SREG, from)
        .be32Attribute(NFTA_CMP_OP, not ? NFT_CMP_NEQ : NFT_CMP_EQ)
        .nest(NFTA_CMP_DATA, (nest) => nest.bytesAttribute(NFTA_DATA_VALUE, value)),
    )(into);
  };
}

/** The register becomes (register & mask) ^ xor. */
export function bitwise(at: number, mask: Uint8Array, xor: Uint8Array): Expression {
  return expression("bitwise", (data) =>
    data
      .be32Attribute(NFTA_BITWISE_SREG, at)
      .be32Attribute(NFTA_BITWISE_DREG, at)
      .be32Attribute(NFTA_BITWISE_LEN, mask.length)
      .nest(NFTA_BITWISE_MASK, (nest) => nest.bytesAttribute(NFTA_DATA_VALUE, mask))
      .nest(NFTA_BITWISE_XOR, (nest) => nest.bytesAttribute(NFTA_DATA_VALUE, xor)),
  );
}

/** Puts a value into a register. */
export function immediate(into: number, value: Uint8Array): Expression {
  return expression("immediate", (data) =>
    data
      .be32Attribute(NFTA_IMMEDIATE_DREG, into)
      .nest(NFTA_IMMEDIATE_DATA, (nest) => nest.bytesAttribute(NFTA_DATA_VALUE, value)),
  );
}

/** What becomes of a packet. `code`: NF_* or NFT_*; `chain`: where a jump or goto leads. */
export interface Verdict {
  readonly code: number;
  readonly chain?: string;
}

export const accept: Verdict = { code: NF_ACCEPT };
export const drop: Verdict = { code: NF_DROP };
/** Back to the chain that jumped here; from a base chain to its policy. */
export const returnToCaller: Verdict = { code: NFT_RETURN };
export const jump = (chain: string): Verdict => ({ code: NFT_JUMP, chain });
/** A jump that never comes back to the chain. */
export const goto = (chain: string): Verdict => ({ code: NFT_GOTO, chain });

export function verdict(value: Verdict): Expression {
  return expression("immediate", (data) =>
    data
      .be32Attribute(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT)
      .nest(NFTA_IMMEDIATE_DATA, (nest) => writeVerdict(nest, value)),
  );
}

export function writeVerdict(into: Writer, { code, chain }: Verdict): void {
  into.nest(NFTA_DATA_VERDICT, (nest) => {
    nest.be32Attribute(NFTA_VERDICT_CODE, code);
    if (chain !== undefined) nest.textAttribute(NFTA_VERDICT_CHAIN, chain);
  });
}

/** NFTA_DATA_VALUE as bytes, NFTA_DATA_VERDICT as a verdict. */
export function readData(data: Reader | undefined): Uint8Array | Verdict | undefined {
  const attributes = data?.attributes();
  const decision = attributes?.get(NFTA_DATA_VERDICT)?.attributes();
  if (!decision) return attributes?.get(NFTA_DATA_VALUE)?.bytes;
  const chain = decision.get(NFTA_VERDICT_CHAIN)?.text();
  return { code: (decision.get(NFTA_VERDICT_CODE)?.be32() ?? 0) | 0, ...(chain !== undefined && { chain }) };
}

/** An expression as the kernel lists it, its attributes by number. */
export interface ListedExpression {
  readonly name: string;
  readonly attributes: Attributes;
}

export function decodeExpressions(list: Reader | undefined): ListedExpression[] {
  return (list?.attributeList() ?? []).map(([, element]) => {
    const attributes = element.attributes();
    return {
      name: attributes.get(NFTA_EXPR_NAME)?.text() ?? "",
      attributes: attributes.get(NFTA_EXPR_DATA)?.attributes() ?? NO_ATTRIBUTES,
    };
  });
}

/** What a `cmp` compares with, the mask of a `bitwise`, what an `immediate` loads or decides, the name of a `lookup`'s set. */
export function operand({ name, attributes }: ListedExpression): Uint8Array | Verdict | string | undefined {
  if (name === "cmp") return readData(attributes.get(NFTA_CMP_DATA));
  if (name === "bitwise") return readData(attributes.get(NFTA_BITWISE_MASK));
  if (name === "immediate") return readData(attributes.get(NFTA_IMMEDIATE_DATA));
  if (name === "lookup") return attributes.get(NFTA_LOOKUP_SET)?.text();
  return undefined;
}
