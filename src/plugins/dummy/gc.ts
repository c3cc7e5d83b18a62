import type { Cleanup, GcRequest } from "../../plugin/types.ts";
import { gcInside } from "../inside/gc.ts";

/** Removes links and addresses of attachments that are not in the list. */
export function gc(request: GcRequest<object>, cleanup: Cleanup): void {
  gcInside(request, "dummy", cleanup);
}
