import { dns } from "../../spec/fields.ts";
import { boolean, type Infer, integer, object, optional, string } from "../../spec/schema.ts";

/** What macvlan, ipvlan and vlan have in common: each makes the container's interface on a link that is there. */
export const childFields = {
  /** The link below. */
  master: optional(string(), ""),
  /** Bytes, at most the master's, which is taken for 0. */
  mtu: optional(integer(), 0),
  /** The master is in the container's namespace. */
  linkInContainer: optional(boolean(), false),
  /** Wins over IPAM's if it says anything. */
  dns: optional(dns()),
};

const config = object(childFields);

export type ChildConfig = Infer<typeof config>;
