import { Cidr } from "../address/cidr.ts";
import { type Attributes, Reader, Writer } from "./codec.ts";
import { AF_UNSPEC, familyNumber, familyOf, readIp } from "./family.ts";
import { type Dump, NLM_F_CREATE, NLM_F_EXCL, type Request } from "./message.ts";

/** Rules choose the routing table. Wire: struct fib_rule_hdr and FRA_* (linux/fib_rules.h). */

const RTM_NEWRULE = 32;
const RTM_DELRULE = 33;
const RTM_GETRULE = 34;
const FRA_DST = 1;
const FRA_SRC = 2;
const FRA_IIFNAME = 3;
const FRA_PRIORITY = 6;
const FRA_FWMARK = 10;
const FRA_SUPPRESS_PREFIXLEN = 14;
const FRA_TABLE = 15;
const FRA_FWMASK = 16;
const FRA_OIFNAME = 17;
const FRA_L3MDEV = 19;
const FRA_PROTOCOL = 21;
const FIB_RULE_INVERT = 2;
/** sizeof(struct fib_rule_hdr): family, dst and src length, tos, table, 2 bytes, action, u32 flags. */
const HEADER = 12;

export const FR_ACT_TO_TBL = 1;
export const FR_ACT_BLACKHOLE = 6;
export const FR_ACT_UNREACHABLE = 7;
export const FR_ACT_PROHIBIT = 8;

export interface Rule {
  readonly family: 4 | 6;
  /** The lowest is looked at first. Unless told, one less than the first that is not 0. */
  readonly priority?: number | undefined;
  readonly from?: Cidr | undefined;
  readonly to?: Cidr | undefined;
  /** The name of the link by which a packet came; `lo` for what this host sends. */
  readonly input?: string | undefined;
  readonly output?: string | undefined;
  readonly mark?: number | undefined;
  /** Which bits of the mark count; all unless told. */
  readonly markMask?: number | undefined;
  readonly table?: number | undefined;
  /** The table is that of the VRF to which the packet's link belongs. */
  readonly l3mdev?: boolean | undefined;
  /** What does not match is meant. */
  readonly invert?: boolean | undefined;
  /** Routes found with a prefix of this length or less do not count. */
  readonly suppressPrefixLength?: number | undefined;
  /** FR_ACT_*; to the table unless told. */
  readonly action?: number | undefined;
  /** RTPROT_*: who made it. */
  readonly protocol?: number | undefined;
}

/** Equivalent to `ip rule add [from CIDR] [to CIDR] … lookup TABLE`; EEXIST if there is the same rule. */
export function addRule(rule: Rule): Request {
  const flags = NLM_F_CREATE | NLM_F_EXCL;
  return { type: RTM_NEWRULE, flags, body: encode(rule), what: `add rule ${ruleText(rule)}` };
}

/** Equivalent to `ip rule delete …`: the first rule that has all that is given; ENOENT if there is none. */
export function removeRule(rule: Rule): Request {
  return { type: RTM_DELRULE, flags: 0, body: encode(rule), what: `remove rule ${ruleText(rule)}` };
}

/** Equivalent to `ip [-4 | -6] rule show`, in the order in which the kernel looks at them. */
export function listRules(filter: { family?: 4 | 6 } = {}): Dump<Rule> {
  const { family } = filter;
  const body = new Writer(HEADER).u32(family ? familyNumber(family) : AF_UNSPEC).zeros(8);
  return { type: RTM_GETRULE, body: body.finish(), what: "list the rules", decode: decodeRule };
}

function encode(rule: Rule): Uint8Array {
  const { family, from, to, table = 0, action = FR_ACT_TO_TBL, invert } = rule;
  const body = new Writer(64)
    .u8(familyNumber(family))
    .u8(to?.prefixLength ?? 0)
    .u8(from?.prefixLength ?? 0)
    .u8(0);
  body
    .u8(table > 255 ? 0 : table)
    .u16(0)
    .u8(action)
    .u32(invert ? FIB_RULE_INVERT : 0);
  if (to && to.prefixLength > 0) body.bytesAttribute(FRA_DST, to.networkAddress.bytes);
  if (from && from.prefixLength > 0) body.bytesAttribute(FRA_SRC, from.networkAddress.bytes);
  if (rule.input !== undefined) body.textAttribute(FRA_IIFNAME, rule.input);
  if (rule.output !== undefined) body.textAttribute(FRA_OIFNAME, rule.output);
  if (rule.priority !== undefined) body.u32Attribute(FRA_PRIORITY, rule.priority);
  if (rule.mark !== undefined) body.u32Attribute(FRA_FWMARK, rule.mark);
  if (rule.markMask !== undefined) body.u32Attribute(FRA_FWMASK, rule.markMask);
  if (rule.suppressPrefixLength !== undefined)
    body.u32Attribute(FRA_SUPPRESS_PREFIXLEN, rule.suppressPrefixLength);
  if (table > 255) body.u32Attribute(FRA_TABLE, table);
  if (rule.l3mdev) body.u8Attribute(FRA_L3MDEV, 1);
  if (rule.protocol !== undefined) body.u8Attribute(FRA_PROTOCOL, rule.protocol);
  return body.finish();
}

/** Reads RTM_NEWRULE; undefined for other messages and other families than IP. */
export function decodeRule(body: Uint8Array, type: number): Rule | undefined {
  const reader = new Reader(body);
  const family = familyOf(reader.u8());
  if (type !== RTM_NEWRULE || family === undefined) return undefined;
  const attributes = reader.attributes(HEADER);
  const table = attributes.get(FRA_TABLE)?.u32() ?? reader.u8(4);
  const suppress = attributes.get(FRA_SUPPRESS_PREFIXLEN)?.i32() ?? -1;
  return {
    family,
    priority: attributes.get(FRA_PRIORITY)?.u32() ?? 0,
    from: cidrOf(attributes, FRA_SRC, reader.u8(2)),
    to: cidrOf(attributes, FRA_DST, reader.u8(1)),
    input: attributes.get(FRA_IIFNAME)?.text(),
    output: attributes.get(FRA_OIFNAME)?.text(),
    mark: attributes.get(FRA_FWMARK)?.u32(),
    markMask: attributes.get(FRA_FWMASK)?.u32(),
    table: table === 0 ? undefined : table,
    l3mdev: attributes.get(FRA_L3MDEV)?.u8() === 1,
    invert: (reader.u32(8) & FIB_RULE_INVERT) !== 0,
    suppressPrefixLength: suppress < 0 ? undefined : suppress,
    action: reader.u8(7),
    protocol: attributes.get(FRA_PROTOCOL)?.u8(),
  };
}

function cidrOf(attributes: Attributes, type: number, prefixLength: number): Cidr | undefined {
  const address = attributes.get(type);
  return address && new Cidr(readIp(address), prefixLength);
}

function ruleText({ from, to, input, mark, table }: Rule): string {
  const words: string[] = [];
  if (from) words.push(`from ${from}`);
  if (to) words.push(`to ${to}`);
  if (input !== undefined) words.push(`iif ${input}`);
  if (mark !== undefined) words.push(`fwmark ${mark}`);
  if (table !== undefined) words.push(`lookup ${table}`);
  return words.join(" ");
}
