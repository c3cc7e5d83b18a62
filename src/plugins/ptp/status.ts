import type { StatusRequest } from "../../plugin/types.ts";
import { requireIpam } from "../lease.ts";
import type { PtpConfig } from "./config.ts";

/** Throws if an ADD could not succeed now. */
export function status(request: StatusRequest<PtpConfig>): void {
  requireIpam(request.ipam).status();
}
