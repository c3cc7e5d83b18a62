import { damaged } from "../damaged.ts";
import { callZone, type TrustWish, withFirewalld } from "./firewalld.ts";

/** Throws (code 100) unless all addresses are sources of the zone, as `trustAddresses` made them. */
export function checkTrusted({ host, zone, addresses }: TrustWish): void {
  withFirewalld(host, (bus) => {
    for (const address of addresses)
      if (!callZone(bus, "querySource", { zone, address }))
        throw damaged(
          `${address.host} is not a source of firewalld's zone ${zone}`,
          "A reload of firewalld takes sources away that were not made permanent. Run DEL, then ADD, to set it up again.",
        );
  });
}
