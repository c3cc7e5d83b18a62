import { DEFAULT_SOCKET } from "../../dhcp/protocol.ts";
import {
  anything,
  array,
  boolean,
  type Infer,
  integer,
  object,
  oneOf,
  optional,
  string,
} from "../../spec/schema.ts";

export const config = object({
  ipam: optional(
    object({
      /** Where the daemon listens. */
      daemonSocketPath: optional(string(), ""),
      /** DHCPv4 options to ask for, besides the default ones unless an entry skips them. */
      request: optional(
        array(object({ skipDefault: optional(boolean(), false), option: optional(anything(), "") })),
        [],
      ),
      /** DHCPv4 options to send: with a value, or with that of a key of CNI_ARGS. */
      provide: optional(
        array(
          object({
            option: optional(anything(), ""),
            value: optional(string(), ""),
            fromArg: optional(string(), ""),
          }),
        ),
        [],
      ),
      /** The metric of all routes; 0 for the kernel's choice. */
      priority: optional(integer(0, 0xffffffff), 0),
      ipv4: optional(oneOf("dhcp", "none"), "dhcp"),
      /** By DHCPv6, by router advertisements, or by whichever of them the routers say. */
      ipv6: optional(oneOf("none", "dhcp", "slaac", "auto"), "none"),
      /** Servers are to answer by broadcast. */
      broadcast: optional(boolean(), false),
    }),
  ),
});

export type DhcpConfig = Infer<typeof config>;

export function socketPathOf({ ipam }: DhcpConfig): string {
  return ipam?.daemonSocketPath || DEFAULT_SOCKET;
}
