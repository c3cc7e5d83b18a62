import type { Cleanup, GcRequest } from "../../plugin/types.ts";
import { gcChildren } from "../child/gc.ts";

/** Removes interfaces and addresses of attachments that are not in the list. */
export function gc(request: GcRequest<unknown>, cleanup: Cleanup): void {
  gcChildren(request, "macvlan", cleanup);
}
