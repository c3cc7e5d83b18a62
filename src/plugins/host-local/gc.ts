import type { Cleanup, GcRequest } from "../../plugin/types.ts";
import { type HostLocalConfig, placeFor } from "./config.ts";
import { formatOwner } from "./reservation.ts";
import { withStoreIfAny } from "./store.ts";

/** Frees what no valid attachment holds, torn files and reservations of an earlier boot among it. */
export function gc(request: GcRequest<HostLocalConfig>, cleanup: Cleanup): void {
  const valid = new Set<string>();
  for (const { containerId, ifName } of request.validAttachments) {
    valid.add(formatOwner({ containerId, ifName }));
    valid.add(formatOwner({ containerId, ifName: "" }));
  }
  cleanup.step("free addresses that nobody holds", () =>
    withStoreIfAny(request.host, placeFor(request), (store) => {
      store.retain((owner) => owner !== undefined && valid.has(formatOwner(owner)));
    }),
  );
}
