import assert from "node:assert/strict";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { root } from "../root.ts";
import { addLeavesNothing, delClearsKilled, delTells, INJECTIONS } from "./injection.ts";
import { type Container, World } from "./world.ts";

const VERSIONS = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"];
const ipam = {
  type: "host-local",
  ranges: [[{ subnet: "10.1.0.0/24" }], [{ subnet: "fd01::/64" }]],
  routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }, { dst: "10.9.0.0/16", gw: "10.1.0.7" }],
};
const tap = { type: "tap" };
const ownMac = "02:00:5e:00:53:01";

for (const cniVersion of VERSIONS)
  test(`tap in version ${cniVersion}: a tap device in the container, with addresses or without`, async (t) => {
    const w = await World.start(t);
    const c1 = w.container();
    const before = w.state();
    // Their results cannot do without an address.
    const alone = cniVersion > "0.2.0" ? [{ ...tap, cniVersion }] : [];
    for (const wish of [...alone, { ...tap, cniVersion, ipam }]) {
      const result = w.add(wish, c1);
      const link = c1.link();
      const { type, persist } = link.linkinfo.info_data;
      assert.deepEqual([type, persist, link.flags.includes("UP")], ["tap", true, true]);
      assert.equal(link.ifalias, "cni:net/c1/eth0");
      if (cniVersion > "0.2.0")
        assert.deepEqual(result.interfaces, [{ name: "eth0", mac: link.address, sandbox: c1.netns }]);
      if ("ipam" in wish) {
        assert.deepEqual(c1.addresses(), ["10.1.0.2/24", "fd01::2/64"]);
        assert.ok(c1.routes().includes("default via 10.1.0.1 dev eth0"));
        assert.ok(c1.routes(6).includes("default via fd01::1 dev eth0"));
      }
      if (cniVersion >= "0.4.0") w.check(wish, c1, result);
      w.del(wish, c1, cniVersion >= "0.4.0" ? { prevResult: result } : {});
      w.del(wish, c1);
      assert.deepEqual([c1.link(), w.state()], [undefined, before]);
    }
  });

for (const [what, config, settings, expected] of [
  ["mtu", { mtu: 1300 }, {}, { mtu: 1300 }],
  ["mac", { mac: ownMac }, {}, { address: ownMac }],
  // The reference forgets the MAC then.
  ["mac with owner and group", { mac: ownMac, owner: 1234, group: 5678 }, {}, { address: ownMac }],
  ["MAC in CNI_ARGS over mac", { mac: "02:00:5e:00:53:99" }, { args: `MAC=${ownMac}` }, { address: ownMac }],
  [
    "args.cni over CNI_ARGS",
    { args: { cni: { mac: ownMac } } },
    { args: "MAC=02:00:5e:00:53:99" },
    { address: ownMac },
  ],
  [
    "the capability mac over all",
    { mac: "02:00:5e:00:53:98", runtimeConfig: { mac: ownMac }, args: { cni: { mac: "02:00:5e:00:53:99" } } },
    { args: "MAC=02:00:5e:00:53:99" },
    { address: ownMac },
  ],
  ["owner", { owner: 1234 }, {}, { user: 1234, group: undefined }],
  ["group", { group: 5678 }, {}, { user: undefined, group: 5678 }],
  ["owner and group that are root", { owner: 0, group: 0 }, {}, { user: "root", group: "root" }],
  ["multiQueue", { multiQueue: true }, {}, { multi_queue: true }],
  ["no option", {}, {}, { multi_queue: false, user: undefined, group: undefined, mtu: 1500, pi: false }],
  ["bridge", { bridge: "br0" }, {}, { master: "br0" }],
  ["bridge, with addresses", { bridge: "br0", ipam }, {}, { master: "br0" }],
] as const)
  test(`tap: ${what}`, async (t) => {
    const w = await World.start(t);
    const c1 = w.container();
    c1.must(..."ip link add br0 up type bridge".split(" "));
    // On the host there is one too, and an eth0: neither is meant.
    w.must(..."ip link add br0 type bridge".split(" "));
    w.must(..."ip link add eth0 type bridge".split(" "));
    const full = { ...tap, ...config };
    const result = w.add(full, c1, settings);
    const link = c1.link();
    const found = { ...link.linkinfo.info_data, ...link };
    const { user = undefined, group = undefined } = link.linkinfo.info_data;
    for (const [key, value] of Object.entries(expected))
      assert.equal({ ...found, user, group }[key], value, key);
    assert.equal(result.interfaces[0].mac, link.address);
    w.check(full, c1, result, settings);
    w.del(full, c1);
    assert.deepEqual([c1.link(), !!c1.link("br0"), !!w.link("eth0")], [undefined, true, true]);
  });

interface Program {
  readonly multiQueue?: boolean;
  readonly uid?: number;
  readonly gid?: number;
  /** That of the frames to be printed; four hexadecimal digits. */
  readonly etherType?: string;
}

/** Starts a program on the container's eth0; gives the lines that it prints, the first of which is 0 if it may. */
function attach(t: TestContext, { world, id }: Container, program: Program = {}): AsyncIterator<string> {
  const { multiQueue = false, uid = 0, gid = 0, etherType = "" } = program;
  const node = ["env", "-C", root, process.execPath, "--import", "ts-blank-space/register"];
  // IFF_TAP, IFF_NO_PI, IFF_MULTI_QUEUE
  const args = ["eth0", 0x1002 | (multiQueue ? 0x100 : 0), uid, gid, etherType].map(String);
  const child = world.spawn(t, "ip", "netns", "exec", id, ...node, "test/e2e/tap-program.ts", ...args);
  return createInterface(child.stdout)[Symbol.asyncIterator]();
}

const next = async (lines: AsyncIterator<string>): Promise<string> => (await lines.next()).value;

test("tap: a program gets the frames that the container sends, and the device outlives it", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const config = { ...tap, mac: ownMac, ipam };
  const result = w.add(config, c1);
  const arp = attach(t, c1, { etherType: "0806" });
  assert.equal(await next(arp), "0");
  const asking = w.spawn(t, "ip", "netns", "exec", "c1", "ping", "-c", "5", "10.1.0.99");
  // A broadcast from the container's MAC that asks for 10.1.0.99 and tells 10.1.0.2; others may come before.
  const request = /^ffffffffffff02005e005301.*02005e0053010a010002\w{12}0a010063/;
  for (let line = ""; !request.test(line); line = await next(arp)) assert.notEqual(line, undefined);
  asking.kill();
  w.check(config, c1, result);
});

test("tap: owner and group say who may open the device, multiQueue how often", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const EPERM = "-1";
  for (const [config, uid, gid, answer] of [
    [{ owner: 1234 }, 1234, 99, "0"],
    [{ owner: 1234 }, 1235, 99, EPERM],
    [{ group: 5678 }, 99, 5678, "0"],
    [{ owner: 1234, group: 5678 }, 1234, 5679, EPERM],
  ] as const) {
    w.add({ ...tap, ...config }, c1);
    assert.equal(await next(attach(t, c1, { uid, gid })), answer, JSON.stringify(config));
    w.del({ ...tap, ...config }, c1);
  }
  const EBUSY = "-16";
  for (const [multiQueue, second] of [
    [true, "0"],
    [false, EBUSY],
  ] as const) {
    w.add({ ...tap, multiQueue }, c1);
    const program = { multiQueue, etherType: "ffff" };
    assert.equal(await next(attach(t, c1, program)), "0");
    assert.equal(await next(attach(t, c1, program)), second);
    w.del({ ...tap, multiQueue }, c1);
  }
});

test("tap refuses what is wrong, and leaves nothing", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const before = w.state();
  for (const [config, settings, code, msg] of [
    [{ bridge: "br0" }, {}, 7, "failed to get bridge br0: link not found"],
    [{ bridge: "lo" }, {}, 7, '"lo" is not a bridge'],
    [{ mtu: 65530 }, {}, 100, /^cannot set mtu 65530.*mtu greater than device maximum$/],
    [
      { mtu: "1500" },
      {},
      7,
      'invalid configuration: mtu: expected a whole number from 0 up to 65535, got "1500"',
    ],
    [{ mac: "02:00" }, {}, 7, /^invalid configuration: mac: expected a MAC address .*"02:00"$/],
    [{ mac: "01:00:5e:00:00:01" }, {}, 100, /^cannot set mac 01:00:5e:00:00:01/],
    [{ owner: -1 }, {}, 7, /^invalid configuration: owner: expected a whole number from 0/],
    [{ group: "kvm" }, {}, 7, /^invalid configuration: group: expected a whole number .*"kvm"$/],
    [{ multiQueue: 1 }, {}, 7, "invalid configuration: multiQueue: expected true or false, got 1"],
    [{}, { args: "MAC=x" }, 4, 'CNI_ARGS: invalid MAC "x"'],
    [{}, { args: "X=y" }, 4, /unknown args X$/],
    [{}, { ifName: "lo" }, 4, "container interface name provided (lo) already exists"],
    [{}, { ifName: "tap%d" }, 4, "interface name contains %"],
    [{ ipam: { type: "none" } }, {}, 7, "plugin none not found"],
    [{ ipam: { type: "static" } }, {}, 100, "IPAM plugin returned missing IP config"],
    [{ selinuxContext: "a:b:c" }, {}, 100, 'selinuxContext "a:b:c" cannot be set: the host has no SELinux'],
  ] as const) {
    const error = w.refused("ADD", { ...tap, ...config }, c1, settings);
    assert.equal(error.code, code, JSON.stringify([config, error]));
    if (typeof msg === "string") assert.equal(error.msg, msg);
    else assert.match(error.msg, msg);
    assert.deepEqual(
      c1.ip("link").map(({ ifname }) => ifname),
      ["lo"],
      error.msg,
    );
  }
  assert.deepEqual(w.state(), before);
});

test("tap: DEL without namespace, of a renamed device, and of a name that is another's", async (t) => {
  const w = await World.start(t);
  const [c1, c2] = [w.container("c1"), w.container("c2")];
  const config = { ...tap, ipam };
  const before = w.state();
  for (const settings of [{ netns: "" }, { netns: "/run/netns/gone" }]) {
    w.add(config, c1);
    w.del(config, c1, settings);
    assert.deepEqual(w.reserved(), {});
    w.del(config, c1);
  }
  w.add(config, c1);
  c1.must("sh", "-c", "ip link set eth0 down && ip link set eth0 name mine");
  w.del(config, c1);
  assert.deepEqual([c1.link("mine"), w.state()], [undefined, before]);
  w.add(config, c2);
  c2.vanish();
  w.del(config, c2);
  assert.deepEqual(w.state(), before);
  // A second network that found the name taken.
  const result = w.add(tap, c1);
  const other = { ...config, name: "other" };
  assert.equal(w.refused("ADD", other, c1).code, 4);
  w.del(other, c1);
  w.check(tap, c1, result);
  w.del(tap, c1);
  // What is no tap device stays.
  c1.must(..."ip link add eth0 type bridge".split(" "));
  w.del(tap, c1);
  assert.ok(c1.link());
});

for (const injection of [...INJECTIONS.slice(0, 2), ["ioctl", "EPERM"], ["open", "EACCES"]] as const)
  test(`ADD of tap, where each ${injection[0]} fails once with ${injection[1]}, leaves nothing`, async (t) => {
    const world = await World.start(t);
    const addresses = [{ address: "10.1.0.2/24" }, { address: "fd01::2/64" }];
    const config = { ...tap, owner: 1234, group: 5678, ipam: { type: "static", addresses } };
    assert.ok(addLeavesNothing({ world, container: world.container(), config }, injection) > 0);
  });

for (const call of ["sendto", "ioctl"])
  test(`DEL clears what an ADD of tap has left that was killed at a ${call}`, async (t) => {
    const world = await World.start(t);
    assert.ok(delClearsKilled({ world, container: world.container(), config: { ...tap, ipam } }, call) > 0);
  });

test("DEL of tap tells of each sendto that fails, and the next DEL removes the rest", async (t) => {
  const world = await World.start(t);
  assert.ok(delTells({ world, container: world.container(), config: { ...tap, ipam } }, "sendto") > 0);
});

for (const [what, damage, msg] of [
  ["the device is gone", "ip link delete eth0", /^interface eth0 is missing in \/run\/netns\/c1$/],
  ["it is down", "ip link set eth0 down", /^interface eth0 is down$/],
  [
    "another MAC",
    "ip link set eth0 address 02:00:5e:00:53:09",
    /^interface eth0 has MAC 02:00:5e:00:53:09, not /,
  ],
  ["no bridge", "ip link set eth0 nomaster", /^eth0 is not a port of br0$/],
  ["another bridge", "ip link set eth0 master br1", /^eth0 is not a port of br0$/],
  ["an address", "ip address del 10.1.0.2/24 dev eth0", /^address 10\.1\.0\.2\/24 is missing on eth0$/],
  ["an IPv6 address", "ip address del fd01::2/64 dev eth0", /^address fd01::2\/64 is missing on eth0$/],
  ["a route", "ip route del 10.9.0.0/16", /^route to 10\.9\.0\.0\/16 via 10\.1\.0\.7 is missing in /],
  [
    "another kind of link",
    "ip link delete eth0 && ip link add eth0 type bridge",
    /^interface eth0 is bridge, not tun$/,
  ],
  [
    "a tun device",
    "ip link delete eth0 && ip tuntap add mode tun name eth0 && ip link set eth0 up",
    /^interface eth0 (has MAC undefined|is no tap device)/,
  ],
  [
    "another owner",
    "ip link delete eth0 && ip tuntap add mode tap name eth0 user 99 && ip link set eth0 address 02:00:5e:00:53:01",
    /^tap device eth0 has owner 99, not 1234$/,
  ],
] as const)
  test(`CHECK of tap finds: ${what}`, async (t) => {
    const w = await World.start(t);
    const c1 = w.container();
    for (const name of ["br0", "br1"]) c1.must("ip", "link", "add", name, "type", "bridge");
    const config = { ...tap, mac: ownMac, bridge: "br0", owner: 1234, ipam };
    const result = w.add(config, c1);
    w.check(config, c1, result);
    assert.equal(w.refused("CHECK", config, c1).msg, "prevResult is missing");
    c1.must("sh", "-c", damage);
    const error = w.refused("CHECK", config, c1, { prevResult: result });
    assert.equal(error.code, 100);
    assert.match(error.msg, msg);
    w.del(config, c1, { prevResult: result });
    assert.deepEqual(w.reserved(), {});
  });

test("GC of tap removes what belongs to no valid attachment of its network", async (t) => {
  const w = await World.start(t);
  const [keep, stale, dead] = ["keep", "stale", "dead"].map((id) => w.container(id)) as [
    Container,
    Container,
    Container,
  ];
  const config = { ...tap, ipam };
  const other = {
    ...tap,
    name: "other",
    ipam: { ...ipam, ranges: [[{ subnet: "10.2.0.0/24" }]], routes: [] },
  };
  const results = [keep, stale, dead].map((each) => w.add(config, each));
  const foreign = w.add(other, stale, { ifName: "eth1" });
  dead.vanish();
  w.gc(config, ["keep/eth0", "gone/eth0"]);
  assert.deepEqual([stale.link(), Object.values(w.reserved())], [undefined, ["keep eth0", "keep eth0"]]);
  w.check(config, keep, results[0]);
  w.check(other, stale, foreign, { ifName: "eth1" });
  w.gc(config, []);
  assert.deepEqual([keep.link(), w.reserved()], [undefined, {}]);
  w.gc(other, []);
  assert.deepEqual([stale.link("eth1"), w.reserved("other")], [undefined, {}]);
});

test("STATUS of tap: /dev/net/tun and, where it is asked for, SELinux must be there, and IPAM ready", async (t) => {
  const w = await World.start(t);
  w.status(tap);
  w.status({ ...tap, ipam });
  assert.equal(w.refused("STATUS", { ...tap, ipam: { type: "host-local" } }).code, 7);
  const selinux = w.refused("STATUS", { ...tap, selinuxContext: "a:b:c" });
  assert.deepEqual(
    [selinux.code, selinux.msg],
    [50, 'selinuxContext "a:b:c" cannot be set: the host has no SELinux'],
  );
  w.must("mount", "-t", "tmpfs", "net", "/dev/net");
  const { code, msg, details } = w.refused("STATUS", tap);
  assert.deepEqual(
    [code, msg, details],
    [50, "the host has no /dev/net/tun", "Load the module tun, which makes it."],
  );
  const error = w.refused("ADD", { ...tap, ipam }, w.container());
  assert.deepEqual([error.code, error.msg, w.reserved()], [100, "the host has no /dev/net/tun", {}]);
});

test("tap: with selinuxContext the device is made by a process that is given that context", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const config = { ...tap, owner: 1234, multiQueue: true, selinuxContext: "system_u:system_r:svirt_t:s0" };
  // A host with SELinux, as far as a kernel without can play it: the label is set, and taken back, in words alone.
  w.must("sh", "-c", "mount -t tmpfs sys /sys && mkdir -p /sys/fs/selinux && touch /sys/fs/selinux/enforce");
  const refused = w.refused("ADD", config, c1);
  assert.equal(
    refused.msg,
    'cannot make a tap device with selinuxContext "system_u:system_r:svirt_t:s0": EINVAL',
  );
  const trace = "/run/trace";
  const wrap = (...inject: string[]) => ["strace", "-f", "-qq", "-s200", "-o", trace, ...inject];
  const accept = ["-e", "trace=write,execve,setns", "-e", "inject=write:retval=40:when=1..2"];
  const result = w.add(config, c1, { wrap: wrap(...accept) });
  const { user, multi_queue } = c1.link().linkinfo.info_data;
  assert.deepEqual([user, multi_queue], [1234, true]);
  w.check(config, c1, result);
  const calls = w
    .read(trace)
    .split("\n")
    .map((line) => line.replace(/^\d+ +/, ""));
  const order = [
    /^write\(\d+, "system_u:system_r:svirt_t:s0", 28\)/,
    /^execve\("\/proc\/self\/exe", \["plumb-tap", /,
    /^write\(\d+, ""?.*, 0\)/,
  ];
  const at = order.map((call) => calls.findIndex((line) => call.test(line)));
  assert.deepEqual(
    [...at].sort((a, b) => a - b),
    at,
    calls.join("\n"),
  );
  assert.ok(
    at.every((index) => index >= 0),
    calls.join("\n"),
  );
  // The process says how it went.
  const taken = w.refused("ADD", config, c1, { wrap: wrap(...accept) });
  assert.equal(taken.msg, "container interface name provided (eth0) already exists");
  w.del(config, c1);
  const failing = [
    "-e",
    "trace=write,ioctl",
    "-e",
    "inject=write:retval=40:when=1..2",
    "-e",
    "inject=ioctl:error=EACCES:when=2",
  ];
  const denied = w.refused("ADD", config, c1, { wrap: wrap(...failing) });
  assert.match(denied.msg, /^cannot make a tap device with selinuxContext ".*": EACCES$/);
  assert.equal(c1.link(), undefined);
});

test("two tap devices in one container, and dns of the configuration over IPAM's", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const dns = { nameservers: ["192.0.2.53"] };
  const fixed = { type: "static", addresses: [{ address: "10.3.0.1/24" }], dns: { domain: "example" } };
  const first = w.add({ ...tap, ipam: fixed }, c1);
  const second = { ...tap, name: "second", dns, ipam: fixed };
  const result = w.add(second, c1, { ifName: "eth1" });
  assert.deepEqual([first.dns, result.dns], [{ domain: "example" }, dns]);
  w.del(tap, c1);
  w.check(second, c1, result, { ifName: "eth1" });
});
