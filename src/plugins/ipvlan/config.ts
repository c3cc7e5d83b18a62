import { type Infer, object, oneOf, optional } from "../../spec/schema.ts";
import { childFields } from "../child/config.ts";

export const config = object({
  /** Its `master` is, unless named, the sole interface of the plugin before in the chain, or that of the default route. */
  ...childFields,
  /** Whether the master switches frames (l2), routes packets (l3), or does so by the host's netfilter (l3s). */
  mode: optional(oneOf("l2", "l3", "l3s"), "l2"),
});

export type IpvlanConfig = Infer<typeof config>;
