/** The conditions of port forwarding, words in the language of `nft`, as expressions. No nft is run: these are the common ones. */
import { type Cidr, hostCidr, parseCidr } from "../../address/cidr.ts";
import { parseIp } from "../../address/ip.ts";
import type { Expression } from "../../netlink/nftables/expressions.ts";
import {
  matchInterface,
  matchIp,
  matchPort,
  matchProtocol,
  type Not,
  type Protocol,
} from "../../netlink/nftables/match.ts";
import { matchMark } from "../../netlink/nftables/match-state.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import type { Conditions } from "./plan.ts";
import type { PortForwardWish } from "./wish.ts";

const PROTOCOLS: readonly string[] = ["tcp", "udp", "sctp"];
/** Values in braces multiply: each combination is a rule. */
const ALTERNATIVES_MAX = 64;

/** One condition: what must hold all together, for one of its values. */
type Match = (value: string, options: Not) => Expression[];

/** The conditions of a wish. Code 7 for words that are not known. */
export function conditionsOf({ conditionsV4, conditionsV6 }: PortForwardWish): Conditions {
  return (family) => {
    const words = (family === 4 ? conditionsV4 : conditionsV6).filter((word) => word !== "");
    return words.length > 0 ? parseConditions(words, family) : [];
  };
}

/**
 * What `conditionsV4` or `conditionsV6` say, as alternatives: of one of them all expressions must match. One without
 * expressions if there are no conditions. Code 7 for words that it does not know.
 */
export function parseConditions(words: readonly string[], family: 4 | 6): Expression[][] {
  const tokens = words.join(" ").match(/"[^"]*"|!=|==|[{},&]|[^\s{},&!="]+|\S/g) ?? [];
  let alternatives: Expression[][] = [[]];
  for (let at = 0; at < tokens.length; ) {
    const reader = new ConditionReader(tokens, at, family);
    const condition = reader.read();
    at = reader.at;
    alternatives = alternatives.flatMap((before) => condition.map((one) => [...before, ...one]));
    if (alternatives.length > ALTERNATIVES_MAX)
      throw new CniError(
        ErrorCode.InvalidConfig,
        `conditionsV${family} have more than ${ALTERNATIVES_MAX} combinations of values`,
        "Name networks in place of single addresses.",
      );
  }
  return alternatives;
}

/** Reads one condition from the words, as alternatives. */
class ConditionReader {
  at: number;
  readonly #tokens: readonly string[];
  readonly #begin: number;
  readonly #family: 4 | 6;

  constructor(tokens: readonly string[], begin: number, family: 4 | 6) {
    this.#tokens = tokens;
    this.#begin = begin;
    this.#family = family;
    this.at = begin;
  }

  read(): Expression[][] {
    const first = this.#next();
    switch (first) {
      case "ip":
      case "ip6":
        if (first !== (this.#family === 4 ? "ip" : "ip6")) throw this.#unknown();
        return this.#address();
      case "meta":
        return this.#meta(this.#next());
      case "th":
        return this.#port();
      default:
        return PROTOCOLS.includes(first) ? this.#port(first as Protocol) : this.#meta(first);
    }
  }

  #address(): Expression[][] {
    const end = this.#next();
    if (end !== "saddr" && end !== "daddr") throw this.#unknown();
    return this.#values((value, options) => [matchIp(end, this.#cidr(value), options)]);
  }

  #meta(key: string): Expression[][] {
    switch (key) {
      case "iif":
      case "iifname":
      case "oif":
      case "oifname": {
        const direction = key.startsWith("i") ? "iifname" : "oifname";
        return this.#values((value, options) => [matchInterface(direction, this.#name(value), options)]);
      }
      case "mark": {
        const mask = this.#accept("&", "and") ? this.#number(this.#next(), 0xffffffff) : undefined;
        return this.#values((value, options) => [matchMark(this.#number(value, 0xffffffff), mask, options)]);
      }
      case "l4proto":
        return this.#values((value, { not }) => {
          if (not || !PROTOCOLS.includes(value)) throw this.#unknown();
          return [matchProtocol(value as Protocol)];
        });
      default:
        throw this.#unknown();
    }
  }

  #port(protocol?: Protocol): Expression[][] {
    const port = this.#next();
    if (port !== "sport" && port !== "dport") throw this.#unknown();
    return this.#values((value, options) => [
      ...(protocol ? [matchProtocol(protocol)] : []),
      matchPort(port, this.#number(value, 0xffff), options),
    ]);
  }

  /** A value, or several in braces: any of them or, with !=, none. */
  #values(match: Match): Expression[][] {
    const not = this.#accept("!=", "ne");
    if (!not) this.#accept("==", "eq");
    const values: string[] = [];
    if (this.#accept("{")) {
      do values.push(this.#next());
      while (this.#accept(","));
      if (!this.#accept("}")) throw this.#unknown();
    } else values.push(this.#next());
    const matches = values.map((value) => match(value, { not }));
    return not ? [matches.flat()] : matches;
  }

  #cidr(text: string): Cidr {
    const ip = parseIp(text);
    const cidr = ip ? hostCidr(ip) : parseCidr(text);
    if (cidr?.family !== this.#family) throw this.#unknown();
    return cidr;
  }

  #name(text: string): string {
    const name = text.replaceAll('"', "");
    if (!/^[^/:\s]{1,15}$/.test(name)) throw this.#unknown();
    return name;
  }

  #number(text: string, max: number): number {
    const number = /^(0x[0-9a-f]+|[0-9]+)$/i.test(text) ? Number(text) : Number.NaN;
    if (!(number <= max)) throw this.#unknown();
    return number;
  }

  #accept(...words: string[]): boolean {
    if (!words.includes(this.#tokens[this.at] ?? "")) return false;
    this.at++;
    return true;
  }

  #next(): string {
    const token = this.#tokens[this.at++];
    if (token === undefined) throw this.#unknown();
    return token;
  }

  /** The error for the condition that is being read, up to the word that makes no sense. */
  #unknown(): CniError {
    const words = this.#tokens.slice(this.#begin, this.at).join(" ");
    const name = this.#family === 4 ? "ip" : "ip6";
    return new CniError(
      ErrorCode.InvalidConfig,
      `conditionsV${this.#family}: ${JSON.stringify(words)} is not understood`,
      `No nft is run. Known are: ${name} saddr, ${name} daddr, iifname, oifname, meta mark, meta l4proto, tcp dport, and so on, with one value or several in braces, and !=. For other conditions choose "backend": "iptables" and write them in its words.`,
    );
  }
}
