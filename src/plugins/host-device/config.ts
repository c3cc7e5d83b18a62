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

/** Whether the configuration, or the runtime, names a device. */
export function namesDevice(config: HostDeviceConfig): boolean {
  const { device, hwaddr, kernelpath, pciBusID } = config;
  return [chosenDevice(config), device, hwaddr, kernelpath, pciBusID].some(Boolean);
}

/** Refuses, with code 7, a configuration that names no device. */
export function checkConfig(config: HostDeviceConfig): void {
  if (namesDevice(config)) return;
  throw new CniError(
    ErrorCode.InvalidConfig,
    'specify either "device", "hwaddr", "kernelpath" or "pciBusID"',
    "None is given, and the runtime gave no deviceID.",
  );
}
