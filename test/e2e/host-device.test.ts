import assert from "node:assert/strict";
import { test } from "node:test";
import { described, DEVICE_MAC as MAC, plug, records } from "./host-device.ts";
import { besideReference, type Container, type Json, reference, World } from "./world.ts";

const VERSIONS = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"];
const ipam = { type: "host-local", ranges: [[{ subnet: "10.1.0.0/24" }], [{ subnet: "fd01::/64" }]] };
const config = { type: "host-device", device: "dev5" };

for (const cniVersion of VERSIONS)
  test(`host-device in version ${cniVersion}: the device moves into the container, and back as it was`, async (t) => {
    const w = await World.start(t);
    const c1 = w.container();
    plug(w);
    const before = described(w);
    // Their results cannot do without an address.
    const alone = cniVersion > "0.2.0" ? [{ ...config, cniVersion }] : [];
    for (const wish of [...alone, { ...config, cniVersion, ipam }]) {
      const result = w.add(wish, c1);
      const { address, ifalias, mtu, flags } = c1.link();
      assert.deepEqual([address, ifalias, mtu, flags.includes("UP")], [MAC, "dev5", 1400, true]);
      assert.deepEqual([w.link("dev5"), c1.link("dev5")], [undefined, undefined]);
      if (cniVersion > "0.2.0")
        assert.deepEqual(result.interfaces, [{ name: "eth0", mac: MAC, sandbox: c1.netns }]);
      assert.deepEqual(c1.addresses(), "ipam" in wish ? ["10.1.0.2/24", "fd01::2/64"] : []);
      if ("ipam" in wish) {
        w.must("ip", "address", "add", "10.1.0.9/24", "dev", "wire5");
        assert.ok(c1.pings("10.1.0.9"));
        w.must("ip", "address", "flush", "dev", "wire5");
      }
      if (cniVersion >= "0.4.0") w.check(wish, c1, result);
      w.del(wish, c1, cniVersion >= "0.4.0" ? { prevResult: result } : {});
      assert.deepEqual([described(w), c1.link(), records(w)], [before, undefined, []]);
      w.del(wish, c1);
      assert.deepEqual([described(w), w.reserved()], [before, {}]);
      w.must("rm", "-rf", "/var/lib/cni/networks");
    }
  });

/** A /sys in which nothing is but this. `links`: where symbolic links lead. */
function sysfs(w: World, directories: readonly string[], links: Readonly<Record<string, string>> = {}): void {
  w.must("mount", "-t", "tmpfs", "sys", "/sys");
  w.must("mkdir", "-p", ...directories);
  for (const [path, target] of Object.entries(links)) w.must("ln", "-s", target, path);
}

const PCI = "/sys/bus/pci/devices";
const AUXILIARY = "/sys/bus/auxiliary/devices";
const device = "/sys/devices/pci0000:00/0000:00:05.0";

for (const [what, wish, directories] of [
  ["device", { device: "dev5" }, []],
  ["device, by another name that it has", { device: "an-alternative-name" }, []],
  ["device, which is the first of several keys", { device: "dev5", hwaddr: "02:00:00:00:00:99" }, []],
  ["hwaddr", { hwaddr: MAC.toUpperCase() }, []],
  ["kernelpath", { kernelpath: device }, [`${device}/net/dev5`]],
  ["pciBusID", { pciBusID: "0000:00:05.0" }, [`${PCI}/0000:00:05.0/net/dev5`]],
  ["pciBusID of a virtio device", { pciBusID: "0000:00:05.0" }, [`${PCI}/0000:00:05.0/virtio3/net/dev5`]],
  ["deviceID on PCI", { runtimeConfig: { deviceID: "0000:00:05.0" } }, [`${PCI}/0000:00:05.0/net/dev5`]],
  [
    "deviceID on the auxiliary bus, which wins over the configuration",
    { pciBusID: "0000:00:06.0", device: "lo", runtimeConfig: { deviceID: "mlx5_core.sf.6" } },
    [`${AUXILIARY}/mlx5_core.sf.6/net/dev5`],
  ],
] as const)
  test(`the device is found by ${what}`, async (t) => {
    const w = await World.start(t);
    const c1 = w.container();
    plug(w);
    w.must("ip", "link", "property", "add", "dev", "dev5", "altname", "an-alternative-name");
    const before = described(w);
    if (directories.length > 0) sysfs(w, directories);
    const full = { type: "host-device", ...wish };
    w.status(full);
    const result = w.add(full, c1);
    assert.deepEqual(result.interfaces, [{ name: "eth0", mac: MAC, sandbox: c1.netns }]);
    w.check(full, c1, result);
    // Where sysfs is without the device by now.
    if (directories.length > 0) w.must("umount", "/sys");
    w.del(full, c1, { prevResult: result });
    assert.deepEqual(described(w), before);
  });

for (const driver of ["vfio-pci", "uio_pci_generic", "igb_uio", "mlx5_vfio_pci"])
  test(`a device with the driver ${driver} is not moved: it has no interface, but may have addresses`, async (t) => {
    const w = await World.start(t);
    const c1 = w.container();
    const directory = `${PCI}/0000:00:05.0`;
    sysfs(w, [directory, `/sys/bus/pci/drivers/${driver}`], {
      [`${directory}/driver`]: `../../drivers/${driver}`,
    });
    const before = w.state();
    for (const wish of [{ pciBusID: "0000:00:05.0" }, { runtimeConfig: { deviceID: "0000:00:05.0" } }]) {
      const full = { type: "host-device", ...wish };
      const alone = w.add(full, c1);
      assert.deepEqual(alone, { cniVersion: "1.1.0", interfaces: [{ name: "eth0", sandbox: c1.netns }] });
      w.check(full, c1, alone);
      w.del(full, c1, { prevResult: alone });
      const leased = w.add({ ...full, ipam }, c1);
      assert.deepEqual(leased.ips.length, 2);
      assert.deepEqual(Object.keys(w.reserved()).length, 2);
      w.check({ ...full, ipam }, c1, leased);
      w.status({ ...full, ipam });
      w.del({ ...full, ipam }, c1, { prevResult: leased });
      assert.deepEqual([w.state(), c1.link()], [before, undefined]);
    }
  });

test("what names no device, or one that cannot be had, is refused and changes nothing", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  plug(w);
  // lo has addresses then: none of them goes.
  w.must("ip", "link", "set", "lo", "up");
  sysfs(w, [`${PCI}/0000:00:05.0`, `${PCI}/0000:00:06.0/net/gone0`, `${device}/net`, `${AUXILIARY}/aux.1`]);
  const state = () => [w.state(), described(w), c1.ip("link"), records(w)];
  const before = state();
  const which = 'specify either "device", "hwaddr", "kernelpath" or "pciBusID"';
  for (const [wish, code, msg] of [
    [{}, 7, which],
    [{ device: "", hwaddr: "", kernelpath: "", pciBusID: "", runtimeConfig: {} }, 7, which],
    [{ device: "dev6" }, 7, "failed to find host device: device dev6"],
    [{ device: 5 }, 7, "invalid configuration: device: expected a string, got 5"],
    [{ hwaddr: "02:00:00:00:00:99" }, 7, "failed to find host device: hwaddr 02:00:00:00:00:99"],
    [{ hwaddr: "nonsense" }, 7, /^invalid configuration: hwaddr: expected a MAC address .*"nonsense"$/],
    [
      { kernelpath: "devices/x" },
      7,
      'kernel device path "devices/x" must be absolute and begin with /sys/devices/',
    ],
    [{ kernelpath: device }, 7, `kernelpath: no network interface in ${device}/net`],
    [{ pciBusID: "0000:00:09.0" }, 7, "no PCI device 0000:00:09.0"],
    [{ pciBusID: "../devices/0000:00:05.0" }, 7, "no PCI device ../devices/0000:00:05.0"],
    [{ pciBusID: "0000:00:05.0" }, 7, `pciBusID: no network interface in ${PCI}/0000:00:05.0/net`],
    [{ pciBusID: "0000:00:06.0" }, 7, "failed to find host device: pciBusID gone0"],
    [{ runtimeConfig: { deviceID: "x" } }, 7, "runtime config DeviceID x not found or unsupported"],
    [{ runtimeConfig: { deviceID: "aux.1" } }, 7, `deviceID: no network interface in ${AUXILIARY}/aux.1/net`],
    [{ device: "lo" }, 100, /^cannot set .*lo.*EINVAL.*immutable$/],
    [{ device: "dev5", ipam: { type: "none" } }, 7, "plugin none not found"],
  ] as const) {
    const error = w.refused("ADD", { type: "host-device", ...wish }, c1);
    assert.equal(error.code, code, JSON.stringify([wish, error]));
    if (typeof msg === "string") assert.equal(error.msg, msg);
    else assert.match(error.msg, msg);
    assert.deepEqual(state(), before, JSON.stringify(wish));
  }
  // Its DEL is one of nothing.
  w.del({ type: "host-device" }, c1);
  assert.deepEqual(state(), before);
});

test("names that are taken: of the interface, of the device in the container, and at home", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  plug(w);
  w.must("ip", "address", "add", "10.5.0.1/24", "dev", "dev5");
  const before = described(w);
  c1.must(..."ip link add dev5 up type bridge".split(" "));
  const insides = () => c1.ip("link").map(({ ifname, flags }) => [ifname, flags.includes("UP")]);
  const inside = insides();
  // CNI_IFNAME is another interface's: refused, and its DEL leaves that one alone.
  const error = w.refused("ADD", { ...config, ipam }, c1, { ifName: "dev5" });
  assert.deepEqual([error.code, error.msg], [4, "container interface name provided (dev5) already exists"]);
  w.del({ ...config, ipam }, c1, { ifName: "dev5" });
  assert.deepEqual([described(w), insides(), w.reserved(), records(w)], [before, inside, {}, []]);
  // The device's own name is another interface's: that works, there and back.
  const result = w.add(config, c1);
  assert.equal(c1.link().address, MAC);
  w.check(config, c1, result);
  // Meanwhile the host got another dev5: the device stays until that has gone.
  w.must(..."ip link add dev5 type bridge".split(" "));
  assert.match(w.refused("DEL", config, c1).msg, /the host has another interface dev5 by now$/);
  w.check(config, c1, result);
  w.must("ip", "link", "delete", "dev5");
  w.del(config, c1);
  assert.deepEqual(described(w), { ...before, addresses: [] });
  assert.deepEqual([insides(), records(w)], [inside, []]);
});

for (const [what, alter] of [
  ["its name", (c1) => c1.must("sh", "-c", "ip link set eth0 down && ip link set eth0 name mine")],
  ["its alias", (c1) => c1.must("ip", "link", "set", "eth0", "alias", "mine")],
  ["its MAC and MTU", (c1) => c1.must(..."ip link set eth0 address 02:00:00:00:00:77 mtu 1300".split(" "))],
  [
    "its name and MAC",
    (c1) =>
      c1.must("sh", "-c", "ip link set eth0 down && ip link set eth0 name mine address 02:00:00:00:00:77"),
  ],
  ["that it is up", (c1) => c1.must("ip", "link", "set", "eth0", "down")],
] as const satisfies readonly (readonly [string, (c1: Container) => void])[])
  test(`DEL restores the device after the container has changed ${what}`, async (t) => {
    const w = await World.start(t);
    const c1 = w.container();
    plug(w);
    w.must("ip", "link", "set", "dev5", "alias", "the operator's");
    const before = described(w);
    const result = w.add({ ...config, ipam }, c1);
    alter(c1);
    w.del({ ...config, ipam }, c1, { prevResult: result });
    assert.deepEqual([described(w), c1.ip("link").length, w.reserved()], [before, 1, {}]);
  });

for (const [what, settings] of [
  ["an empty CNI_NETNS", { netns: "" }],
  ["a path that is not there", { netns: "/run/netns/gone" }],
] as const)
  test(`DEL with ${what} gives the device of a living container back, and the addresses`, async (t) => {
    const w = await World.start(t);
    const c1 = w.container();
    plug(w);
    const before = described(w);
    const wish = { ...config, ipam };
    const result = w.add(wish, c1);
    w.del(wish, c1, { ...settings, prevResult: result });
    assert.deepEqual([described(w), c1.link(), w.reserved(), records(w)], [before, undefined, {}, []]);
  });

test("DEL after the namespace has gone releases the addresses; a virtual device went with it", async (t) => {
  const w = await World.start(t);
  for (const settings of [{}, { netns: "" }]) {
    const c1 = w.container();
    plug(w);
    const result = w.add({ ...config, ipam }, c1);
    assert.equal(Object.keys(w.reserved()).length, 2);
    c1.vanish();
    w.del({ ...config, ipam }, c1, { ...settings, prevResult: result });
    assert.deepEqual([w.reserved(), records(w)], [{}, []]);
    w.must("sh", "-c", "while ip link show wire5; do sleep 0.02; done >/dev/null 2>&1");
  }
});

test("DEL gives the device back although IPAM fails, and tells of that", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  plug(w);
  const before = described(w);
  w.add({ ...config, ipam }, c1);
  const error = w.refused("DEL", { ...config, ipam: { type: "broken" } }, c1);
  assert.deepEqual(
    [error.msg, described(w)],
    ["cannot release the addresses: plugin broken not found", before],
  );
  w.del({ ...config, ipam }, c1);
  assert.deepEqual(w.reserved(), {});
});

for (const [what, change] of [
  ["", ":"],
  [", with another MAC", "ip -n c1 link set eth0 address 02:00:00:00:00:77"],
] as const)
  test(`DEL finds a device that the kernel has sent home under its name in the container${what}`, async (t) => {
    const w = await World.start(t);
    const c1 = w.container();
    plug(w);
    const before = described(w);
    w.add({ ...config, ipam }, c1);
    // As dev_change_net_namespace does it with a network card whose namespace goes.
    w.must("sh", "-c", `${change} && ip -n c1 link set eth0 netns $$ && ip netns delete c1`);
    assert.equal(w.link("eth0").ifalias, "dev5");
    w.del({ ...config, ipam }, c1, { netns: "" });
    assert.deepEqual([described(w), w.link("eth0"), w.reserved(), records(w)], [before, undefined, {}, []]);
  });

for (const [what, damage, msg] of [
  ["the device is gone", "ip link delete eth0", /^interface eth0 is missing in \/run\/netns\/c1$/],
  [
    "another MAC",
    "ip link set eth0 address 02:00:00:00:00:77",
    /^interface eth0 has MAC 02:00:00:00:00:77, not /,
  ],
  [
    "another alias",
    "ip link set eth0 alias other",
    /^interface eth0 has alias "other", not the device's name/,
  ],
  ["it is down", "ip link set eth0 down", /^interface eth0 is down$/],
  ["an address", "ip address del 10.1.0.2/24 dev eth0", /^address 10\.1\.0\.2\/24 is missing on eth0$/],
  ["a route", "ip route del 10.9.0.0/16", /^route to 10\.9\.0\.0\/16 is missing in /],
] as const)
  test(`CHECK of host-device finds: ${what}`, async (t) => {
    const w = await World.start(t);
    const c1 = w.container();
    plug(w);
    const wish = { ...config, ipam: { ...ipam, routes: [{ dst: "10.9.0.0/16" }] } };
    const result = w.add(wish, c1);
    w.check(wish, c1, result);
    c1.must(...damage.split(" "));
    const error = w.refused("CHECK", wish, c1, { prevResult: result });
    assert.equal(error.code, 100);
    assert.match(error.msg, msg);
    w.must("rm", "/var/lib/cni/networks/net/10.1.0.2");
    assert.match(w.refused("CHECK", wish, c1, { prevResult: result }).msg, /c1/);
    w.del(wish, c1, { prevResult: result });
    assert.deepEqual([w.reserved(), records(w)], [{}, []]);
  });

test("GC of host-device gives back what belongs to no valid attachment of its network", async (t) => {
  const w = await World.start(t);
  const [keep, stale] = [w.container("keep"), w.container("stale")];
  const plugged = [5, 6, 7].map((n) => {
    plug(w, `dev${n}`, `02:00:5e:00:53:0${n}`, `wire${n}`);
    return described(w, `dev${n}`);
  });
  const of = (device: string, change: Json = {}) => ({ type: "host-device", device, ipam, ...change });
  const other = { name: "other", ipam: { ...ipam, ranges: [[{ subnet: "10.2.0.0/24" }]] } };
  const kept = w.add(of("dev5"), keep);
  w.add(of("dev6"), stale);
  const foreign = w.add(of("dev7", other), stale, { ifName: "eth1" });
  w.gc(of(""), ["keep/eth0", "gone/eth0"]);
  assert.deepEqual(
    [w.link("dev5"), described(w, "dev6"), w.link("dev7")],
    [undefined, plugged[1], undefined],
  );
  assert.deepEqual(Object.values(w.reserved()), ["keep eth0", "keep eth0"]);
  w.check(of("dev5"), keep, kept);
  w.check(of("dev7", other), stale, foreign, { ifName: "eth1" });
  w.gc(of(""), []);
  assert.deepEqual([described(w, "dev5"), w.link("dev7"), w.reserved()], [plugged[0], undefined, {}]);
  w.gc(of("", other), []);
  assert.deepEqual([described(w, "dev7"), records(w)], [plugged[2], []]);
  w.gc(of(""), []);
});

test("STATUS of host-device: the device must be on the host, and IPAM ready", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  plug(w);
  w.status({ ...config, ipam });
  // The runtime will choose.
  w.status({ type: "host-device", ipam });
  assert.equal(w.refused("STATUS", { ...config, ipam: { type: "host-local", ranges: [] } }).code, 7);
  w.add(config, c1);
  const { code, msg } = w.refused("STATUS", config);
  assert.deepEqual([code, msg], [50, "failed to find host device: device dev5"]);
});

test("two devices in one container, and dns of the configuration", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  plug(w);
  plug(w, "dev6", "02:00:5e:00:53:06", "wire6");
  const dns = { nameservers: ["192.0.2.53"] };
  const first = w.add({ ...config, dns, ipam }, c1);
  assert.deepEqual(first.dns, dns);
  const second = { type: "host-device", name: "second", device: "dev6" };
  const result = w.add(second, c1, { ifName: "eth1" });
  w.del({ ...config, dns, ipam }, c1);
  w.check(second, c1, result, { ifName: "eth1" });
  w.del(second, c1, { ifName: "eth1" });
  assert.deepEqual([!!w.link("dev5"), !!w.link("dev6"), c1.ip("link").length], [true, true, 1]);
});

test("of containers that want one device at once one gets it, and DEL of all brings it home", async (t) => {
  const w = await World.start(t);
  const containers = ["c1", "c2", "c3", "c4"].map((id) => w.container(id));
  plug(w);
  const before = described(w);
  const answers = await Promise.all(containers.map((c) => w.start("ADD", { ...config, ipam }, c)));
  const refused = answers.filter(({ code }) => code !== 0).map(({ output }) => output);
  assert.equal(refused.length, 3);
  for (const { msg, details } of refused) assert.doesNotMatch(`${msg} ${details}`, /undone/);
  await Promise.all(containers.map((c) => w.start("DEL", { ...config, ipam }, c)));
  assert.deepEqual([described(w), records(w), w.reserved()], [before, [], {}]);
});

test("DEL of one network leaves the device of another under the same name", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  plug(w);
  plug(w, "dev6", "02:00:5e:00:53:06", "wire6");
  const result = w.add(config, c1);
  const second = { type: "host-device", name: "second", device: "dev6" };
  assert.equal(w.refused("ADD", second, c1).code, 4);
  w.del(second, c1);
  w.check(config, c1, result);
});

test("the reference gives back what ours moved, and the other way round", besideReference, async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  plug(w);
  const wish = { ...config, cniVersion: "1.0.0", ipam };
  const both = [w.bin, `${reference}:${w.bin}`];
  for (const [add, del] of [both, [...both].reverse()]) {
    const result = w.add(wish, c1, { path: add });
    assert.equal(c1.link().ifalias, "dev5");
    w.check(wish, c1, result, { path: del });
    w.del(wish, c1, { path: del, prevResult: result });
    const { address, mtu } = w.link("dev5");
    assert.deepEqual([address, mtu, c1.link()], [MAC, 1400, undefined]);
    w.must("ip", "link", "set", "dev5", "alias", "", "up");
    w.must("rm", "-rf", "/var/lib/cni/networks");
  }
});
