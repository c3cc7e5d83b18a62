import { type MacAddress, parseMac } from "../address/mac.ts";
import { CniError, ErrorCode } from "../spec/errors.ts";
import { show } from "../spec/json.ts";

/** Keys of CNI_ARGS that a plugin with a MAC address, or an IPAM plugin behind it, understands. */
export const KNOWN_ARGS = ["MAC", "IP", "GATEWAY"];

/** Where a configuration may wish for a MAC address: the capability `mac`, and `args.cni.mac`. */
interface MacConfig {
  readonly runtimeConfig?: { readonly mac?: MacAddress | undefined } | undefined;
  readonly args?: { readonly cni?: { readonly mac?: MacAddress | undefined } | undefined } | undefined;
}

/** The container's MAC address, if one is wished: by runtimeConfig, args.cni or CNI_ARGS, in this order. */
export function wishedMac(
  { runtimeConfig, args }: MacConfig,
  cniArgs: ReadonlyMap<string, string>,
): MacAddress | undefined {
  const text = cniArgs.get("MAC") ?? "";
  const fromArgs = text === "" ? undefined : parseMac(text);
  if (text !== "" && fromArgs === undefined)
    throw new CniError(
      ErrorCode.InvalidEnvironment,
      `CNI_ARGS: invalid MAC ${show(text)}`,
      "It reads 00:00:5e:00:53:01.",
    );
  return runtimeConfig?.mac ?? args?.cni?.mac ?? fromArgs;
}
