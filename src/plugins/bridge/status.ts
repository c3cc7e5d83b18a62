import { getLink } from "../../netlink/link.ts";
import type { StatusRequest } from "../../plugin/types.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import { type BridgeConfig, checkConfig } from "./config.ts";

/** Throws if an ADD could not succeed now. */
export function status({ config, hostNetns, ipam }: StatusRequest<BridgeConfig>): void {
  checkConfig(config, ipam !== undefined);
  const link = hostNetns.route.query(getLink(config.bridge));
  if (link && link.kind !== "bridge")
    throw new CniError(
      ErrorCode.NotAvailable,
      `"${config.bridge}" already exists but is not a bridge`,
      `It is ${link.kind || "a network card"}: choose another "bridge".`,
    );
  ipam?.status();
}
