import { measureAttachments } from "./attachments.ts";
import type { Figure } from "./figure.ts";
import type { World } from "./world.ts";

/** What does a container on a bridge cost, without and with masquerade (ours by nftables, the reference's by iptables)? */
export function bridge(world: World): Figure[] {
  return [
    ...measureAttachments(world, {
      title: "bridge",
      type: "bridge",
      ipMasq: false,
      firstSubnet: 100,
      add: { faster: 2.5 },
      del: { faster: 1.3 },
    }),
    ...measureAttachments(world, {
      title: "bridge ipMasq",
      type: "bridge",
      ipMasq: true,
      firstSubnet: 110,
      add: { faster: 6 },
      del: { faster: 2.5 },
    }),
  ];
}
