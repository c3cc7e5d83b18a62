import { measureAttachments } from "./attachments.ts";
import type { Figure } from "./figure.ts";
import type { World } from "./world.ts";

/** What does a container behind a link of its own cost, with masquerade (ours by nftables, the reference's by iptables)? */
export function ptp(world: World): Figure[] {
  return measureAttachments(world, {
    title: "ptp ipMasq",
    type: "ptp",
    ipMasq: true,
    firstSubnet: 120,
    add: { faster: 6 },
    del: { faster: 2.5 },
  });
}
