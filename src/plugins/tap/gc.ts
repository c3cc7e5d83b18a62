import type { Cleanup, GcRequest } from "../../plugin/types.ts";
import { gcInside } from "../inside/gc.ts";
import type { TapConfig } from "./config.ts";

/** Removes devices and addresses of attachments that are not in the list. */
export function gc(request: GcRequest<TapConfig>, cleanup: Cleanup): void {
  gcInside(request, "tun", cleanup);
}
