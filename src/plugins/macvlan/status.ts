import type { StatusRequest } from "../../plugin/types.ts";
import { requireKind, requireMaster } from "../child/status.ts";
import type { MacvlanConfig } from "./config.ts";

/** Throws if an ADD could not succeed now. */
export function status(request: StatusRequest<MacvlanConfig>): void {
  requireMaster(request);
  requireKind(request, "macvlan");
  request.ipam?.status();
}
