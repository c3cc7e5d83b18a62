import { requireLinkKind } from "../../net/link-kind.ts";
import type { StatusRequest } from "../../plugin/types.ts";
import { type BandwidthConfig, limitsOf } from "./config.ts";

/** Throws if an ADD could not succeed now: limits that have no sense, or a kernel that cannot set them. */
export function status({ config, host }: StatusRequest<BandwidthConfig>): void {
  const { egress } = limitsOf(config);
  if (egress) requireLinkKind(host, "ifb");
}
