import { CniError, ErrorCode } from "../../spec/errors.ts";
import { dns } from "../../spec/fields.ts";
import { type Infer, mac, object, optional, string } from "../../spec/schema.ts";

export const config = object({
  /** The name of the device on the host. */
  device: optional(string(), ""),
  hwaddr: optional(mac()),
  /** Its directory in sysfs, below /sys/devices/. */
  kernelpath: optional(string(), ""),
  /** The address of the PCI device that it is the network interface of: 0000:00:1f.6 */
  pciBusID: optional(string(), ""),
  /** Wins over IPAM's if it says anything. */
  dns: optional(dns()),
  /** A PCI address, or the name of a device on the auxiliary bus. Wins over the keys above. */
  runtimeConfig: optional(object({ deviceID: optional(string(), "") })),
});

export type HostDeviceConfig = Infer<typeof config>;

/** What the runtime chose for this container, or "". */
export function chosenDevice({ runtimeConfig }: HostDeviceConfig): string {
  return runtimeConfig?.deviceID ?? "";
}

/** How many of the keys that name a device are given. Code 7 if it is more than one. */
export function countKeys({ device, hwaddr, kernelpath, pciBusID }: HostDeviceConfig): number {
  const given = Object.entries({ device, hwaddr, kernelpath, pciBusID }).filter(([, value]) => value);
  if (given.length <= 1) return given.length;
  throw unspecific(`${given.map(([key]) => `"${key}"`).join(" and ")} are given: leave all but one out.`);
}

/** Refuses, with code 7, a configuration that does not name exactly one device. */
export function checkConfig(config: HostDeviceConfig): void {
  if (chosenDevice(config) === "" && countKeys(config) === 0)
    throw unspecific("None is given, and the runtime gave no deviceID.");
}

function unspecific(details: string): CniError {
  const keys = 'specify either "device", "hwaddr", "kernelpath" or "pciBusID"';
  return new CniError(ErrorCode.InvalidConfig, keys, details);
}
