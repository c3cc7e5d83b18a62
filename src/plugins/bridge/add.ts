import { announceAddresses } from "../../net/announce.ts";
import { ensureBridge, keepsMac } from "../../net/bridge.ts";
import { awaitCarrier } from "../../net/carrier.ts";
import { requireLink } from "../../net/veth.ts";
import { type Link, setLink } from "../../netlink/link.ts";
import type { AddRequest, Undo } from "../../plugin/types.ts";
import { checkArgs } from "../../spec/args.ts";
import type { Interface, Result } from "../../spec/result.ts";
import { hasDns } from "../dns.ts";
import { KNOWN_ARGS } from "../wished-mac.ts";
import { type BridgeConfig, checkConfig } from "./config.ts";
import { addLayer3 } from "./layer3.ts";
import { plugIn } from "./port.ts";

/** Joins the container to a bridge by a veth pair; with IPAM, the bridge may be the containers' gateway. */
export function add(request: AddRequest<BridgeConfig>, undo: Undo): Result {
  const { config, netns, hostNetns, ipam } = request;
  checkArgs(request.args, KNOWN_ARGS);
  checkConfig(config, ipam !== undefined);
  const { link: bridge } = undo.keep(
    ensureBridge(hostNetns, {
      name: config.bridge,
      mtu: config.mtu || undefined,
      promiscuous: config.promiscMode,
      vlanFiltering: config.vlan !== 0 || config.vlanTrunk !== undefined,
    }),
  );
  const { outside, inside } = plugIn(request, bridge, undo);
  if (ipam?.releases === "first") {
    // It speaks through the interface, and the bridge passes nothing on before it has noticed the carrier.
    netns.route.execute([setLink(inside, { up: true })]);
    awaitCarrier(hostNetns, outside);
  }
  const { vlanLink, ...layer3 } = ipam ? addLayer3(request, { bridge, inside }, undo) : {};
  if (!ipam && !config.disableContainerInterface) netns.route.execute([setLink(inside, { up: true })]);
  const port = config.disableContainerInterface
    ? requireLink(hostNetns, outside.name)
    : awaitCarrier(hostNetns, outside);
  if (ipam) announceAddresses(netns, inside);
  return {
    interfaces: [
      described(keepsMac(bridge) ? bridge : requireLink(hostNetns, bridge.name)),
      described(port),
      { ...described(inside), sandbox: netns.path },
      ...(vlanLink ? [described(vlanLink)] : []),
    ],
    ...layer3,
    ...(hasDns(config.dns) && { dns: config.dns }),
  };
}

function described({ name, mac }: Pick<Link, "name" | "mac">): Interface {
  return { name, mac: `${mac}` };
}
