import { errno } from "../../host/errno.ts";
import { type Host, isErrno } from "../../host/host.ts";
import type { Namespace } from "../../net/namespace.ts";
import { getLink, type Link, listLinks } from "../../netlink/link.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import { show } from "../../spec/json.ts";
import { checkConfig, chosenDevice, type HostDeviceConfig } from "./config.ts";

/**
 * Finding the device. In sysfs a device's directory has a directory `net` with an entry for each of its network
 * interfaces, as far as they are in the network namespace of who mounted sysfs.
 */

const PCI = "/sys/bus/pci/devices";
const AUXILIARY = "/sys/bus/auxiliary/devices";
const DEVICES = "/sys/devices/";
/** Drivers that hand a PCI device to a program, as DPDK: the kernel has no network interface for it then. */
const USERSPACE_DRIVER = /^(uio_pci_generic|igb_uio|.*vfio[-_]pci)$/;

/**
 * The network interface that the configuration names, by the first of its keys if it has several; undefined for a device
 * with a driver for programs.
 */
export function findDevice(netns: Namespace, config: HostDeviceConfig): Link | undefined {
  const { host } = netns;
  checkConfig(config);
  const { device, hwaddr, kernelpath } = config;
  const pci = pciDevice(host, config);
  if (pci !== undefined && hasUserspaceDriver(host, pci)) return undefined;
  const chosen = chosenDevice(config);
  if (chosen !== "")
    return pci ? ofPciDevice(netns, pci) : ofDirectory(netns, "deviceID", `${AUXILIARY}/${chosen}`);
  if (device !== "") return netns.route.query(getLink(device)) ?? missing("device", device);
  if (hwaddr) {
    const found = netns.route.dump(listLinks()).find(({ mac }) => mac?.equals(hwaddr));
    return found ?? missing("hwaddr", `${hwaddr}`);
  }
  if (kernelpath === "") return ofPciDevice(netns, pci!);
  if (!kernelpath.startsWith(DEVICES))
    throw new CniError(
      ErrorCode.InvalidConfig,
      `kernel device path ${show(kernelpath)} must be absolute and begin with ${DEVICES}`,
      "See where /sys/class/net/NAME/device leads.",
    );
  return ofDirectory(netns, "kernelpath", kernelpath);
}

/** Whether the configuration names a PCI device whose driver hands it to a program. */
export function isUserspaceDevice(host: Host, config: HostDeviceConfig): boolean {
  const pci = pciDevice(host, config);
  return pci !== undefined && hasUserspaceDriver(host, pci);
}

/** The directory of the PCI device that the configuration names; undefined if it names none. */
function pciDevice(host: Host, config: HostDeviceConfig): string | undefined {
  const chosen = chosenDevice(config);
  const key = chosen === "" ? "pciBusID" : "deviceID";
  const address = chosen || config.pciBusID;
  if (address === "") return undefined;
  const [isPci, isAuxiliary] = [PCI, AUXILIARY].map(
    (bus) => !address.includes("/") && host.statIfAny(`${bus}/${address}`) !== undefined,
  );
  if (isPci) return `${PCI}/${address}`;
  if (isAuxiliary && chosen !== "") return undefined;
  throw new CniError(
    ErrorCode.InvalidConfig,
    chosen ? `runtime config DeviceID ${chosen} not found or unsupported` : `no PCI device ${address}`,
    `"${key}" is an entry of ${PCI}${chosen && ` or ${AUXILIARY}`}, such as 0000:00:1f.6.`,
  );
}

function hasUserspaceDriver(host: Host, pci: string): boolean {
  try {
    const driver = host.readLink(`${pci}/driver`);
    return USERSPACE_DRIVER.test(driver.slice(driver.lastIndexOf("/") + 1));
  } catch (error) {
    // A device without driver.
    if (isErrno(error, errno.ENOENT)) return false;
    throw error;
  }
}

/** A virtio device is a device of its own below the PCI device. */
function ofPciDevice(netns: Namespace, pci: string): Link {
  const { host } = netns;
  const virtio = host.statIfAny(`${pci}/net`)
    ? undefined
    : entries(host, pci).find((name) => name.startsWith("virtio") && host.statIfAny(`${pci}/${name}/net`));
  return ofDirectory(netns, "pciBusID", virtio ? `${pci}/${virtio}` : pci);
}

/** The first network interface of the device that this directory of sysfs tells of. */
function ofDirectory(netns: Namespace, key: string, directory: string): Link {
  const [name] = entries(netns.host, `${directory}/net`);
  if (name === undefined)
    throw new CniError(
      ErrorCode.InvalidConfig,
      `${key}: no network interface in ${directory}/net`,
      "The device is in a container already, has no driver for networks, or is none for them.",
    );
  return netns.route.query(getLink(name)) ?? missing(key, name);
}

/** The names in a directory, in order; none if it is not there. */
function entries(host: Host, directory: string): string[] {
  return host.statIfAny(directory) ? host.readDirectory(directory).sort() : [];
}

function missing(key: string, value: string): never {
  throw new CniError(
    ErrorCode.InvalidConfig,
    `failed to find host device: ${key} ${value}`,
    "There is no such interface in the host's namespace. It may be in a container already.",
  );
}
