// A plugin as anybody may write it: an interface that the container has for itself, with addresses by IPAM.
import { configureInterface } from "../src/net/configure.ts";
import { removeLink, requireLink } from "../src/net/veth.ts";
import { createLink } from "../src/netlink/link.ts";
import { bridge } from "../src/netlink/links/bridge.ts";
import { definePlugin, delAndRelease, integer, object, optional, runAs } from "../src/plugin/index.ts";

const plugin = definePlugin({
  type: "island",
  config: object({ mtu: optional(integer(68, 65535), 1500) }),

  add({ config, netns, ifName, ipam }, undo) {
    netns.route.execute([createLink(bridge(), { name: ifName, mtu: config.mtu })]);
    undo.add(`delete ${ifName}`, () => void removeLink(netns, ifName));
    const { ips = [], routes = [] } = ipam?.add(undo) ?? {};
    const link = requireLink(netns, ifName);
    configureInterface(netns, link, { ips, routes });
    return { interfaces: [{ name: ifName, mac: `${link.mac}`, sandbox: netns.path }], ips, routes };
  },

  del(request, cleanup) {
    const { netns, ifName } = request;
    delAndRelease(request, cleanup, () => {
      if (netns) cleanup.step(`delete ${ifName}`, () => void removeLink(netns, ifName));
    });
  },
});

export const main = () => runAs(plugin);
