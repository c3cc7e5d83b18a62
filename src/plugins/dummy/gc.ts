import type { Cleanup, GcRequest } from "../../plugin/types.ts";
import { gcChildren } from "../child/gc.ts";

/** Removes links and addresses of attachments that are not in the list. */
export function gc(request: GcRequest<object>, cleanup: Cleanup): void {
  gcChildren(request, "dummy", cleanup);
}
