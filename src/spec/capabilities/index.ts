import { parseMac } from "../../address/mac.ts";
import { array, mac, parsed, type Schema, string } from "../schema.ts";
import { bandwidth } from "./bandwidth.ts";
import { dnsCapability } from "./dns.ts";
import { ipRanges } from "./ip-ranges.ts";
import { ips } from "./ips.ts";
import { portMappings } from "./port-mappings.ts";

/**
 * The well-known capabilities (conventions, "Well-known Capabilities") by name. For who must know all of them; a plugin
 * imports only those it uses.
 */
export function wellKnownCapabilities(): Readonly<Record<string, Schema<unknown>>> {
  return {
    portMappings: portMappings(),
    ipRanges: ipRanges(),
    bandwidth: bandwidth(),
    dns: dnsCapability(),
    ips: ips(),
    mac: mac(),
    infinibandGUID: infinibandGuid(),
    deviceID: string(),
    aliases: array(string()),
    cgroupPath: string(),
  };
}

/** A GUID of InfiniBand: 8 bytes, written as a MAC address is. */
function infinibandGuid(): Schema<string> {
  const isGuid = (text: string) => parseMac(text)?.bytes.length === 8;
  return parsed((text) => (isGuid(text) ? text : undefined), "a GUID such as c2:11:22:33:44:55:66:77");
}
