import { removeUnowned } from "../../net/owned.ts";
import { containerNamespaces } from "../../net/owned-inside.ts";
import type { Cleanup, GcRequest } from "../../plugin/types.ts";

/** Removes interfaces and addresses of attachments that are not in the list. */
export function gcInside(
  { host, network, validAttachments, ipam }: GcRequest<unknown>,
  kind: string,
  cleanup: Cleanup,
): void {
  for (const netns of containerNamespaces(host))
    cleanup.step(`delete stale interfaces in ${netns.path}`, () =>
      removeUnowned(netns, kind, network, validAttachments),
    );
  if (ipam) cleanup.step("release stale addresses", () => ipam.gc());
}
