import { damaged } from "../net/damaged.ts";
import type { Namespace } from "../net/namespace.ts";
import { requireLink } from "../net/veth.ts";
import { listAddresses } from "../netlink/address.ts";
import { IFF_UP, setLink } from "../netlink/link.ts";
import { definePlugin } from "../plugin/define.ts";
import type { Result } from "../spec/result.ts";
import { object } from "../spec/schema.ts";

/** Whatever CNI_IFNAME says, the interface is lo. */
const LO = { index: 0, name: "lo" };

/** Brings up the container's loopback interface. */
export const plugin = definePlugin({
  type: "loopback",
  config: object({}),

  add({ netns, prevResult }) {
    netns.route.execute([setLink(LO, { up: true })]);
    return prevResult ?? describe(netns);
  },

  check({ netns }) {
    if ((requireLink(netns, LO.name).flags & IFF_UP) === 0) throw damaged("interface lo is down");
  },

  del({ netns }, cleanup) {
    if (netns) cleanup.step("bring lo down", () => netns.route.execute([setLink(LO, { up: false })]));
  },
});

function describe(netns: Namespace): Result {
  const { index, mac } = requireLink(netns, LO.name);
  const addresses = netns.route.dump(listAddresses({ link: index }));
  return {
    interfaces: [{ name: LO.name, mac: `${mac}`, sandbox: netns.path }],
    ips: addresses.map(({ cidr }) => ({ address: cidr, interface: 0 })),
  };
}
