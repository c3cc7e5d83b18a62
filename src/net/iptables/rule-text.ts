/** Rules that iptables keeps in nftables, as iptables-save would print them: read without running a program. */
import { Cidr } from "../../address/cidr.ts";
import { Ip } from "../../address/ip.ts";
import { Reader } from "../../netlink/codec.ts";
import {
  accept,
  drop,
  type ListedExpression,
  operand,
  returnToCaller,
  type Verdict,
} from "../../netlink/nftables/expressions.ts";
import type { ListedRule } from "../../netlink/nftables/rule.ts";

const NFTA_PAYLOAD_BASE = 2;
const NFTA_PAYLOAD_OFFSET = 3;
const NFTA_META_KEY = 2;
const NFTA_CMP_OP = 2;
const NFTA_MATCH_NAME = 1;
const NFTA_MATCH_INFO = 3;
const NETWORK_HEADER = 1;
const NFT_META_IIFNAME = 6;
const NFT_META_OIFNAME = 7;
const NFT_CMP_NEQ = 1;
const NFT_JUMP = -3;

/** struct xt_conntrack_mtinfo3 (linux/netfilter/xt_conntrack.h): u16 match_flags, invert_flags, state_mask, status_mask. */
const CONNTRACK_FLAGS = 146;
const XT_CONNTRACK_STATE = 1;
/** XT_CONNTRACK_STATE_BIT of IP_CT_RELATED and IP_CT_ESTABLISHED */
const RELATED_ESTABLISHED = 6;

/** As `iptables-save -t TABLE`: `-A FORWARD -i br0 -j DROP`. Undefined for a rule that says more than what is known here. */
export function ruleText({ chain, table, expressions }: ListedRule): string | undefined {
  const words: string[] = [];
  let loaded: ListedExpression | undefined;
  for (const expression of expressions) {
    if (expression.name === "payload" || expression.name === "meta") {
      loaded = expression;
      continue;
    }
    if (expression.name === "counter") continue;
    const word =
      expression.name === "cmp" ? comparison(loaded, expression, table.family) : standing(expression);
    if (word === undefined) return undefined;
    words.push(word);
  }
  // They are printed in this order, whatever the kernel's is; what follows keeps its own.
  const options = ["-s", "-d", "-i", "-o"].flatMap((option) => words.filter((word) => isAbout(word, option)));
  return [`-A ${chain}`, ...options, ...words.filter((word) => !options.includes(word))].join(" ");
}

function isAbout(word: string, option: string): boolean {
  return word.startsWith(`${option} `) || word.startsWith(`! ${option} `);
}

/** A match or a verdict. */
function standing(expression: ListedExpression): string | undefined {
  const { name, attributes } = expression;
  if (name === "immediate") return target(operand(expression) as Verdict);
  const info = name === "match" ? attributes.get(NFTA_MATCH_INFO) : undefined;
  if (info === undefined) return undefined;
  const match = attributes.get(NFTA_MATCH_NAME)?.text();
  if (match === "comment") return `-m comment --comment ${JSON.stringify(info.text())}`;
  return match === "conntrack" && isAnswer(info) ? "-m conntrack --ctstate RELATED,ESTABLISHED" : undefined;
}

function target({ code, chain }: Verdict): string | undefined {
  if (chain !== undefined) return code === NFT_JUMP ? `-j ${chain}` : undefined;
  const names = { [accept.code]: "ACCEPT", [drop.code]: "DROP", [returnToCaller.code]: "RETURN" };
  return names[code] && `-j ${names[code]}`;
}

function isAnswer(info: Reader): boolean {
  const [flags, inverted, states] = [0, 2, 4].map((at) => info.u16(CONNTRACK_FLAGS + at));
  return flags === XT_CONNTRACK_STATE && inverted === 0 && states === RELATED_ESTABLISHED;
}

function comparison(
  loaded: ListedExpression | undefined,
  expression: ListedExpression,
  family: string,
): string | undefined {
  const value = operand(expression);
  if (loaded === undefined || !(value instanceof Uint8Array)) return undefined;
  const not = expression.attributes.get(NFTA_CMP_OP)?.be32() === NFT_CMP_NEQ ? "! " : "";
  const option = loaded.name === "meta" ? interfaceOption(loaded) : addressOption(loaded, family);
  const text = loaded.name === "meta" ? interfaceText(value) : addressText(value, family);
  return option && text && `${not}${option} ${text}`;
}

function interfaceOption({ attributes }: ListedExpression): string | undefined {
  const key = attributes.get(NFTA_META_KEY)?.be32();
  return key === NFT_META_IIFNAME ? "-i" : key === NFT_META_OIFNAME ? "-o" : undefined;
}

/** Without the closing NUL, all that begin so are meant. */
function interfaceText(value: Uint8Array): string {
  const name = new Reader(value).text();
  return name.length === value.length ? `${name}+` : name;
}

/** Offsets in struct iphdr and struct ipv6hdr. */
function addressOption({ attributes }: ListedExpression, family: string): string | undefined {
  if (attributes.get(NFTA_PAYLOAD_BASE)?.be32() !== NETWORK_HEADER) return undefined;
  const offset = attributes.get(NFTA_PAYLOAD_OFFSET)?.be32();
  const [source, destination] = family === "ip" ? [12, 16] : [8, 24];
  return offset === source ? "-s" : offset === destination ? "-d" : undefined;
}

/** A network of whole bytes is compared by these alone. */
function addressText(value: Uint8Array, family: string): string {
  const bytes = new Uint8Array(family === "ip" ? 4 : 16);
  bytes.set(value);
  return `${new Cidr(new Ip(bytes), value.length * 8)}`;
}
