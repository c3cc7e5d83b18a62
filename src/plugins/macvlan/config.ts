import { cniArgs } from "../../spec/capabilities/cni-args.ts";
import { type Infer, integer, mac, object, oneOf, optional } from "../../spec/schema.ts";
import { childFields } from "../child/config.ts";

export const config = object({
  /** Its `master` is that of the default route unless it is named. */
  ...childFields,
  /** How containers on one master reach each other. */
  mode: optional(oneOf("bridge", "private", "vepa", "passthru"), "bridge"),
  /** The container's address, unless one is wished for this container. */
  mac: optional(mac()),
  /** How many broadcast and multicast frames the master holds back; 0 for the kernel's 1000. */
  bcqueuelen: optional(integer(0, 0xffffffff), 0),
  runtimeConfig: optional(object({ mac: optional(mac()) })),
  args: cniArgs({ mac: optional(mac()) }),
});

export type MacvlanConfig = Infer<typeof config>;
