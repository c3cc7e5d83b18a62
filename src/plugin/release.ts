import type { Cleanup, DelRequest, GcRequest, Releases } from "./types.ts";

/** DEL: removes the interface by `remove`, and gives its addresses back: before or behind it, as IPAM wants it. */
export function delAndRelease(
  { ipam }: Pick<DelRequest<unknown>, "ipam">,
  cleanup: Cleanup,
  remove: () => void,
): void {
  inOrder(ipam?.releases, remove, () => {
    if (ipam) cleanup.step("release the addresses", () => ipam.del());
  });
}

/** GC: the same for the interfaces and addresses of attachments that are not valid any more. */
export function gcAndRelease(
  { ipam }: Pick<GcRequest<unknown>, "ipam">,
  cleanup: Cleanup,
  remove: () => void,
): void {
  inOrder(ipam?.releases, remove, () => {
    if (ipam) cleanup.step("release stale addresses", () => ipam.gc());
  });
}

function inOrder(releases: Releases | undefined, remove: () => void, release: () => void): void {
  if (releases === "first") release();
  remove();
  if (releases !== "first") release();
}
