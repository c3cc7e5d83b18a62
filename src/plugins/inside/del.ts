import { removeOwnedInside } from "../../net/owned-inside.ts";
import { delAndRelease } from "../../plugin/release.ts";
import type { Cleanup, DelRequest } from "../../plugin/types.ts";

/** Removes the container's interface of this kind, and gives its addresses back. A master, wherever it is by now, is not asked. */
export function delInside(request: DelRequest<unknown>, kind: string, cleanup: Cleanup): void {
  const { netns } = request;
  delAndRelease(request, cleanup, () => {
    // Without its namespace, the interface has gone with it.
    if (netns) cleanup.step("delete the interface", () => removeOwnedInside(netns, kind, request));
  });
}
