import { hasIptablesForwards } from "../../net/hostports/iptables-present.ts";
import { forwardPortsByNftables } from "../../net/hostports/nftables.ts";
import { checkMappings, forwardsByFamily, type PortForwardWish } from "../../net/hostports/wish.ts";
import { loopbackTarget, routeLocalnet } from "../../net/route-localnet.ts";
import type { Verbs } from "../../plugin/define.ts";
import type { AddRequest } from "../../plugin/types.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import { backendOf, type PortmapConfig, wishOf } from "./config.ts";

/** ADD: forwards the ports of the capability `portMappings` to the container. Only what the request needs is loaded. */
export async function loadAdd(
  request: AddRequest<PortmapConfig>,
): Promise<Pick<Verbs<PortmapConfig>, "add">> {
  const { config, hostNetns, prevResult } = request;
  const backend = backendOf(config);
  if (prevResult === undefined)
    throw new CniError(
      ErrorCode.InvalidConfig,
      "must be called as chained plugin",
      "It forwards to addresses that a plugin before it has given: name it behind that one in the list.",
    );
  const wish = wishOf(request, prevResult);
  const families = forwardsByFamily(wish);
  checkMappings(wish.mappings);
  if (families.length === 0) return { add: () => prevResult };
  const forwardPorts = await (backend === "iptables" ? loadIptables() : loadNftables(wish));
  const forget = await loadForget(wish);
  return {
    add(_, undo) {
      undo.add("stop forwarding ports", async () => {
        const { removeForwards } = await import("../../net/hostports/remove.ts");
        removeForwards(hostNetns, wish, wish);
      });
      forwardPorts(wish);
      const local = loopbackTarget(wish);
      if (local) routeLocalnet(hostNetns, local);
      // Behind the rules, which the next packet of such a connection meets.
      forget?.(hostNetns, families);
      return prevResult;
    },
  };
}

type ForwardPorts = (wish: PortForwardWish) => void;

async function loadNftables(wish: PortForwardWish): Promise<ForwardPorts> {
  const hasConditions = [...wish.conditionsV4, ...wish.conditionsV6].some((word) => word !== "");
  const isBesideIptables = forwardsByFamily(wish).some(({ family }) =>
    hasIptablesForwards(wish.netns, family),
  );
  if (!hasConditions && !isBesideIptables) return (wish) => forwardPortsByNftables(wish);
  const { conditionsOf } = await import("../../net/hostports/conditions.ts");
  const { refuseTakenByIptables } = await import("../../net/hostports/other-backend.ts");
  return (wish) => {
    refuseTakenByIptables(wish);
    forwardPortsByNftables(wish, conditionsOf(wish));
  };
}

async function loadIptables(): Promise<ForwardPorts> {
  const { forwardPortsByIptables } = await import("../../net/hostports/iptables.ts");
  const { refuseTakenByNftables } = await import("../../net/hostports/other-backend.ts");
  return (wish) => {
    refuseTakenByNftables(wish);
    forwardPortsByIptables(wish);
  };
}

/** Whoever connects anew by TCP is translated anew: there is nothing to forget. */
async function loadForget({ mappings }: PortForwardWish) {
  if (mappings.every(({ protocol }) => protocol === "tcp")) return undefined;
  return (await import("../../net/conntrack.ts")).forgetEarlierConnections;
}
