import type { Cleanup, GcRequest } from "../../plugin/types.ts";
import { gcChildren } from "../child/gc.ts";
import type { TapConfig } from "./config.ts";

/** Removes devices and addresses of attachments that are not in the list. */
export function gc(request: GcRequest<TapConfig>, cleanup: Cleanup): void {
  gcChildren(request, "tun", cleanup);
}
