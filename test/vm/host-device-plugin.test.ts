import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import type { Json } from "../e2e/world.ts";
import { plumb } from "../programs.ts";

/**
 * The plugin host-device with a real network card, that of test/vm-run. The kernel sends a card home to its first
 * network namespace alone: so these tests are made there, in the machine itself.
 */

const netns = "/run/netns/card";
const ipam = { type: "host-local", ranges: [[{ subnet: "10.1.0.0/24" }]] };

function must(command: string, input?: string, env?: Record<string, string>): string {
  const { status, stdout, stderr } = spawnSync("sh", ["-c", command], {
    encoding: "utf8",
    ...(input !== undefined && { input }),
    env: { PATH: process.env["PATH"], ...env },
  });
  assert.equal(status, 0, `${command}: ${stdout}${stderr}`);
  return stdout;
}

function call(verb: string, config: Json, path = netns): Json {
  const stdin = { cniVersion: "1.1.0", name: "cards", type: "host-device", ...config };
  const output = must(`exec ${plumb} host-device`, JSON.stringify(stdin), {
    CNI_COMMAND: verb,
    CNI_CONTAINERID: "card",
    CNI_NETNS: path,
    CNI_IFNAME: "net1",
    CNI_PATH: "",
  });
  return output === "" ? undefined : JSON.parse(output);
}

/** A link as it is to be again. */
function described(name: string, ...options: string[]): Json {
  const links = JSON.parse(must(`ip -j ${options.join(" ")} link show`));
  const { ifname, address, mtu, ifalias, flags } = links.find((link: Json) => link.ifname === name) ?? {};
  return ifname && { ifname, address, mtu, ifalias, up: flags.includes("UP") };
}

/** The PCI address of the card, and its name. */
function card(): [pci: string, name: string] {
  must("modprobe virtio_net");
  const devices = "/sys/bus/pci/devices";
  for (const pci of readdirSync(devices))
    for (const virtio of readdirSync(`${devices}/${pci}`).filter((each) => each.startsWith("virtio"))) {
      const folder = `${devices}/${pci}/${virtio}`;
      if (readdirSync(folder).includes("net")) return [pci, readdirSync(`${folder}/net`)[0]!];
    }
  throw new Error("the machine has no network card: is it that of test/vm-run?");
}

test("a network card by its PCI address; it comes home under its name when its namespace has gone", (t) => {
  const [pciBusID, first] = card();
  must(`ip link set ${first} down && ip link set ${first} name lan7 && ip link set lan7 mtu 1400 up`);
  t.after(() => must("rm -rf /var/lib/cni/networks/cards; ip netns delete card 2>/dev/null; true"));
  const config = { pciBusID, ipam };
  const before = described("lan7");
  must("ip netns add card");
  for (const gone of [false, true, true]) {
    const result = call("ADD", config);
    assert.deepEqual(result.interfaces, [{ name: "net1", mac: before.address, sandbox: netns }]);
    const inside = { ...before, ifname: "net1", ifalias: "lan7" };
    assert.deepEqual([described("lan7"), described("net1", "-n", "card")], [undefined, inside]);
    call("CHECK", { ...config, prevResult: result });
    // Right behind: the kernel takes the namespace down in the background.
    if (gone) must("ip netns delete card");
    call("DEL", { ...config, prevResult: result }, gone ? "" : netns);
    assert.deepEqual([described("lan7"), described("net1")], [before, undefined]);
    assert.doesNotMatch(must("ls /var/lib/cni/networks/cards /run/cni/host-device"), /10\.1|json/);
    if (gone) must("ip netns add card");
  }
});
