import type { Cleanup, DelRequest } from "../../plugin/types.ts";
import { type HostLocalConfig, placeFor } from "./config.ts";
import { withStoreIfAny } from "./store.ts";

/** Releases the attachment's addresses. */
export function del(request: DelRequest<HostLocalConfig>, cleanup: Cleanup): void {
  const { host, containerId, ifName } = request;
  const owner = { containerId, ifName };
  cleanup.step("release the addresses", () =>
    withStoreIfAny(host, placeFor(request), (store) => {
      store.mendIndex();
      store.release(owner, store.find(owner));
    }),
  );
}
