/** What the kernel knows about a packet beside its headers: its mark, its connection, its route. */
import { Writer } from "../codec.ts";
import {
  bitwise,
  type Expression,
  expression,
  type Field,
  immediate,
  match,
  meta,
  register,
} from "./expressions.ts";
import type { Not } from "./match.ts";

const NFT_META_MARK = 3;
const NFTA_META_KEY = 2;
const NFTA_META_SREG = 3;

const NFT_CT_STATE = 0;
const NFT_CT_STATUS = 2;
const NFT_CT_MARK = 3;
const NFTA_CT_DREG = 1;
const NFTA_CT_KEY = 2;
const NFTA_CT_SREG = 4;

const NFT_FIB_RESULT_ADDRTYPE = 3;
const NFTA_FIB_F_SADDR = 1;
const NFTA_FIB_F_DADDR = 2;
const NFTA_FIB_DREG = 1;
const NFTA_FIB_RESULT = 2;
const NFTA_FIB_FLAGS = 3;
/** RTN_LOCAL (linux/rtnetlink.h) */
const RTN_LOCAL = 2;

/** NF_CT_STATE_BIT (linux/netfilter/nf_conntrack_common.h) */
const states = { invalid: 1, established: 2, related: 4, new: 8, untracked: 64 } as const;
/** IPS_SRC_NAT, IPS_DST_NAT */
const statuses = { snat: 0x10, dnat: 0x20 } as const;

const mark = meta(NFT_META_MARK, 4);

/** `meta mark and MASK == MARK` */
export function matchMark(value: number, mask = 0xffffffff, { not = false }: Not = {}): Expression {
  return match(mark, number(value), { not, ...(mask !== 0xffffffff && { mask: number(mask) }) });
}

/** `meta mark set meta mark and not MASK or MARK`: only the bits of the mask change. */
export function setMark(value: number, mask = 0xffffffff): Expression {
  return (into) => {
    loadChanged(mark, value, mask)(into);
    expression("meta", (data) =>
      data.be32Attribute(NFTA_META_KEY, NFT_META_MARK).be32Attribute(NFTA_META_SREG, register(0)),
    )(into);
  };
}

/** `ct mark and MASK == MARK` */
export function matchConnectionMark(value: number, mask = 0xffffffff, { not = false }: Not = {}): Expression {
  return match(connection(NFT_CT_MARK), number(value), {
    not,
    ...(mask !== 0xffffffff && { mask: number(mask) }),
  });
}

/** `ct mark set …`: only the bits of the mask change. */
export function setConnectionMark(value: number, mask = 0xffffffff): Expression {
  return (into) => {
    loadChanged(connection(NFT_CT_MARK), value, mask)(into);
    expression("ct", (data) =>
      data.be32Attribute(NFTA_CT_KEY, NFT_CT_MARK).be32Attribute(NFTA_CT_SREG, register(0)),
    )(into);
  };
}

/** `ct state established,related` */
export function matchConnectionState(...names: (keyof typeof states)[]): Expression {
  return anyBit(
    connection(NFT_CT_STATE),
    names.map((name) => states[name]),
  );
}

/** `ct status dnat`; with `not`, `ct status ! dnat`. */
export function matchConnectionStatus(name: keyof typeof statuses, { not = false }: Not = {}): Expression {
  return anyBit(connection(NFT_CT_STATUS), [statuses[name]], { not });
}

/** `fib daddr type local`: the address is one of this host's. */
export function matchLocal(end: "saddr" | "daddr", options: Not = {}): Expression {
  const load = (into: number) =>
    expression("fib", (data) =>
      data
        .be32Attribute(NFTA_FIB_DREG, into)
        .be32Attribute(NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE)
        .be32Attribute(NFTA_FIB_FLAGS, end === "saddr" ? NFTA_FIB_F_SADDR : NFTA_FIB_F_DADDR),
    );
  return match({ length: 4, load }, number(RTN_LOCAL), options);
}

/** A u32 in the machine's byte order, as marks and states are. */
function number(value: number): Uint8Array {
  return new Writer(4).u32(value).finish();
}

function connection(key: number): Field {
  const load = (into: number) =>
    expression("ct", (data) => data.be32Attribute(NFTA_CT_DREG, into).be32Attribute(NFTA_CT_KEY, key));
  return { length: 4, load };
}

function loadChanged(field: Field, value: number, mask: number): Expression {
  if (mask === 0xffffffff) return immediate(register(0), number(value));
  return (into) => {
    field.load(register(0))(into);
    bitwise(register(0), number(~mask), number(value & mask))(into);
  };
}

/** Some of the bits are set; with `not`, none. */
function anyBit(field: Field, bits: number[], { not = false }: Not = {}): Expression {
  const mask = number(bits.reduce((all, bit) => all | bit, 0));
  return match(field, number(0), { not: !not, mask });
}
