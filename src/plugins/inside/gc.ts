import { removeUnowned } from "../../net/owned.ts";
import { containerNamespaces } from "../../net/owned-inside.ts";
import { gcAndRelease } from "../../plugin/release.ts";
import type { Cleanup, GcRequest } from "../../plugin/types.ts";

/** Removes interfaces and addresses of attachments that are not in the list. */
export function gcInside(request: GcRequest<unknown>, kind: string, cleanup: Cleanup): void {
  const { host, network, validAttachments } = request;
  gcAndRelease(request, cleanup, () => {
    for (const netns of containerNamespaces(host))
      cleanup.step(`delete stale interfaces in ${netns.path}`, () =>
        removeUnowned(netns, kind, network, validAttachments),
      );
  });
}
