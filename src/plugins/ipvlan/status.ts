import type { StatusRequest } from "../../plugin/types.ts";
import { requireKind, requireMaster } from "../child/status.ts";
import type { IpvlanConfig } from "./config.ts";

/** Throws if an ADD could not succeed now. A master that is not named may come from the plugin before. */
export function status(request: StatusRequest<IpvlanConfig>): void {
  if (request.config.master !== "") requireMaster(request);
  requireKind(request, "ipvlan");
  request.ipam?.status();
}
