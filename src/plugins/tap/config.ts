import { cniArgs } from "../../spec/capabilities/cni-args.ts";
import { dns } from "../../spec/fields.ts";
import { boolean, type Infer, integer, mac, object, optional, string } from "../../spec/schema.ts";

/** The number of a user or group; the highest one means none. */
const MAX_ID = 0xfffffffe;

export const config = object({
  /** Several queues, for programs that send and receive with several threads. */
  multiQueue: optional(boolean(), false),
  mtu: optional(integer(0, 65535), 0),
  /** Unless the runtime wishes for another one. */
  mac: optional(mac()),
  /** Numbers of the user and the group that may open the device besides root. */
  owner: optional(integer(0, MAX_ID)),
  group: optional(integer(0, MAX_ID)),
  /** The SELinux context of the process that makes the device, and by that of the device. */
  selinuxContext: optional(string(), ""),
  /** A bridge in the container, of which the device becomes a port. */
  bridge: optional(string(), ""),
  /** Wins over IPAM's if it says anything. */
  dns: optional(dns()),
  runtimeConfig: optional(object({ mac: optional(mac()) })),
  args: cniArgs({ mac: optional(mac()) }),
});

export type TapConfig = Infer<typeof config>;
