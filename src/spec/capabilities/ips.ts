import { parseCidr } from "../../address/cidr.ts";
import { type Ip, parseIp } from "../../address/ip.ts";
import { array, type Schema, string } from "../schema.ts";

/** An address that is asked for, with or without the prefix length of its network. */
export interface RequestedIp {
  readonly ip: Ip;
  readonly prefixLength?: number;
}

/** The capability `ips` and `args.cni.ips`: texts, since plugins differ in whether a prefix length must be there. */
export function ips(): Schema<readonly string[]> {
  return array(string());
}

/** Parses ADDRESS or ADDRESS/LENGTH; undefined if the text is neither. */
export function parseRequestedIp(text: string): RequestedIp | undefined {
  const ip = parseIp(text);
  return ip ? { ip } : parseCidr(text);
}
