import type { Cidr } from "../../address/cidr.ts";
import type { Ip } from "../../address/ip.ts";
import { array, cidr, ip, object, optional, type Schema } from "../schema.ts";

/** A part of a subnet to take addresses from; `rangeStart` and `rangeEnd` are included. */
export interface IpRange {
  readonly subnet: Cidr;
  readonly rangeStart?: Ip | undefined;
  readonly rangeEnd?: Ip | undefined;
  readonly gateway?: Ip | undefined;
}

/** The capability `ipRanges`: one address is taken from each set, out of any of its ranges. */
export function ipRanges(): Schema<readonly (readonly IpRange[])[]> {
  return array(array(ipRange()));
}

export function ipRange(): Schema<IpRange> {
  return object({
    subnet: cidr(),
    rangeStart: optional(ip()),
    rangeEnd: optional(ip()),
    gateway: optional(ip()),
  });
}
