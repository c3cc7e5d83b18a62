import type { Cleanup, GcRequest } from "../../plugin/types.ts";
import { gcInside } from "../inside/gc.ts";

/** Removes interfaces and addresses of attachments that are not in the list. */
export function gc(request: GcRequest<unknown>, cleanup: Cleanup): void {
  gcInside(request, "ipvlan", cleanup);
}
