import { type Infer, object, oneOf, optional, string } from "../../spec/schema.ts";

/** What iptables accepts, or nothing for the default. */
const CHAIN = /^$|^[^\s!-]\S{0,27}$/;

export const config = object({
  /** Without: see backend.ts. */
  backend: optional(oneOf("iptables", "nftables", "firewalld")),
  iptablesAdminChainName: optional(
    string({ pattern: CHAIN, expected: "the name of a chain, at most 28 characters" }),
    "",
  ),
  firewalldZone: optional(string(), ""),
  ingressPolicy: optional(oneOf("open", "same-bridge", "isolated"), "open"),
});

export type FirewallConfig = Infer<typeof config>;
