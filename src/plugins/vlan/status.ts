import type { StatusRequest } from "../../plugin/types.ts";
import { requireKind, requireMaster } from "../child/status.ts";
import { requireIpam } from "../lease.ts";
import { checkConfig, type VlanConfig } from "./config.ts";

/** Throws if an ADD could not succeed now. */
export function status(request: StatusRequest<VlanConfig>): void {
  checkConfig(request.config);
  requireMaster(request);
  requireKind(request, "vlan");
  requireIpam(request.ipam).status();
}
