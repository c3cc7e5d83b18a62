import { type Infer, object, oneOf, optional, string } from "../../spec/schema.ts";

/** What iptables accepts, but for the firewall's own; or nothing for the default. */
const CHAIN =
  /^$|^(?!(?:FORWARD|CNI-FORWARD|CNI-ISOLATION-STAGE-[12]|forward|further-admins|(?:bridge|isolated)-.*)$)[^\s!-]\S{0,27}$/;

export const config = object({
  /** Without: see backend.ts. */
  backend: optional(oneOf("iptables", "nftables", "firewalld")),
  iptablesAdminChainName: optional(
    string({ pattern: CHAIN, expected: "the name of a chain of your own, at most 28 characters" }),
    "",
  ),
  firewalldZone: optional(string(), ""),
  ingressPolicy: optional(oneOf("open", "same-bridge", "isolated"), "open"),
});

export type FirewallConfig = Infer<typeof config>;
