import { requireLinkKind } from "../../net/link-kind.ts";
import type { StatusRequest } from "../../plugin/types.ts";
import { requireIpam } from "../lease.ts";

/** Throws if an ADD could not succeed now: code 50 where the kernel has no dummy links. */
export function status({ host, ipam }: StatusRequest<object>): void {
  requireIpam(ipam).status();
  requireLinkKind(host, "dummy");
}
