// A device of the host for the tests of host-device.
import type { Json, World } from "./world.ts";

export const DEVICE_MAC = "02:00:5e:00:53:05";

/** A device of the host, as an operator would have it; `wire5` is the other end of its cable. */
export function plug(w: World, name = "dev5", mac = DEVICE_MAC, wire = "wire5"): void {
  w.must("ip", "link", "add", name, "address", mac, "type", "veth", "peer", "name", wire);
  w.must("ip", "link", "set", wire, "up");
  w.must("ip", "link", "set", name, "mtu", "1400", "up");
}

/** What tells whether a device is as it was. */
export function described(w: World, name = "dev5"): Json {
  const link = w.link(name);
  if (!link) return undefined;
  const { address, mtu, ifalias, master, flags } = link;
  return { address, mtu, ifalias, master, up: flags.includes("UP"), addresses: w.addresses(name) };
}

/** What host-device remembers of lent devices. */
export const records = (w: World): string[] =>
  w.exec(["ls", "/run/cni/host-device"]).stdout.split("\n").filter(Boolean);
