/** Address translation: in chains of type nat. */
import type { Ip } from "../../address/ip.ts";
import { type Expression, expression, immediate, register } from "./expressions.ts";
import { portBytes } from "./match.ts";

const NFTA_MASQ_FLAGS = 1;
const NFTA_NAT_TYPE = 1;
const NFTA_NAT_FAMILY = 2;
const NFTA_NAT_REG_ADDR_MIN = 3;
const NFTA_NAT_REG_PROTO_MIN = 5;
const NFTA_REDIR_REG_PROTO_MIN = 1;
const NFT_NAT_SNAT = 0;
const NFT_NAT_DNAT = 1;
const NFPROTO_IPV4 = 2;
const NFPROTO_IPV6 = 10;

/** NF_NAT_RANGE_PROTO_RANDOM_FULLY (linux/netfilter/nf_nat.h) */
const RANDOM_FULLY = 0x10;

/** `masquerade`: the source becomes the address of the interface by which the packet leaves. */
export function masquerade({ fullyRandom = false } = {}): Expression {
  return expression("masq", (data) => {
    if (fullyRandom) data.be32Attribute(NFTA_MASQ_FLAGS, RANDOM_FULLY);
  });
}

/** `dnat to ADDRESS:PORT`; without port it stays as it is. */
export function dnat(address: Ip, port?: number): Expression {
  return translate(NFT_NAT_DNAT, address, port);
}

/** `snat to ADDRESS:PORT`; without port it stays as it is, if it is free. */
export function snat(address: Ip, port?: number): Expression {
  return translate(NFT_NAT_SNAT, address, port);
}

/** `redirect to :PORT`: to an address of this host. */
export function redirect(port: number): Expression {
  return (into) => {
    immediate(register(0), portBytes(port))(into);
    expression("redir", (data) => data.be32Attribute(NFTA_REDIR_REG_PROTO_MIN, register(0)))(into);
  };
}

/** `dnat to … map @…`, behind `lookUp`, which put the address and, behind it, the port into the registers. */
export function dnatToResult(family: 4 | 6): Expression {
  return nat(NFT_NAT_DNAT, family, register(0), register(family === 4 ? 1 : 4));
}

function translate(type: number, { bytes, family }: Ip, port: number | undefined): Expression {
  const portRegister = port === undefined ? undefined : register(bytes.length / 4);
  return (into) => {
    immediate(register(0), bytes)(into);
    if (portRegister !== undefined) immediate(portRegister, portBytes(port!))(into);
    nat(type, family, register(0), portRegister)(into);
  };
}

function nat(type: number, family: 4 | 6, address: number, port: number | undefined): Expression {
  return expression("nat", (data) => {
    data
      .be32Attribute(NFTA_NAT_TYPE, type)
      .be32Attribute(NFTA_NAT_FAMILY, family === 4 ? NFPROTO_IPV4 : NFPROTO_IPV6)
      .be32Attribute(NFTA_NAT_REG_ADDR_MIN, address);
    if (port !== undefined) data.be32Attribute(NFTA_NAT_REG_PROTO_MIN, port);
  });
}
