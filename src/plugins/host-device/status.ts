import type { StatusRequest } from "../../plugin/types.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import { type HostDeviceConfig, namesDevice } from "./config.ts";
import { findDevice } from "./device.ts";

/** Throws if an ADD could not succeed now: code 50 if the device is not on the host. Which one the runtime will choose is not known. */
export function status({ config, hostNetns, ipam }: StatusRequest<HostDeviceConfig>): void {
  if (namesDevice(config))
    try {
      findDevice(hostNetns, config);
    } catch (error) {
      if (!(error instanceof CniError)) throw error;
      throw new CniError(ErrorCode.NotAvailable, error.message, error.details, { cause: error });
    }
  ipam?.status();
}
