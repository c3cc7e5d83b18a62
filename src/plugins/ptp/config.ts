import { dns } from "../../spec/fields.ts";
import { boolean, type Infer, integer, object, oneOf, optional } from "../../spec/schema.ts";

export const config = object({
  ipMasq: optional(boolean(), false),
  ipMasqBackend: optional(oneOf("nftables", "iptables")),
  mtu: optional(integer(0, 65535), 0),
  /** Wins over IPAM's if it says anything. */
  dns: optional(dns()),
});

export type PtpConfig = Infer<typeof config>;
