import assert from "node:assert/strict";
import { test } from "node:test";
import { VERSIONS } from "../../src/spec/versions.ts";
import { ask, variables } from "./ask.ts";
import { addLeavesNothing, delClearsKilled, delTells, INJECTIONS } from "./injection.ts";
import { besideReference, type Container, type Json, reference, World } from "./world.ts";

// The plugin tuning behind another one: here, what that one made is a veth pair within the container.

const MAC = "02:00:5e:00:53:01";
const FOLDER = "/run/cni/tuning";
const prevResult = {
  cniVersion: "1.1.0",
  interfaces: [
    { name: "eth0", mac: "02:00:5e:00:53:aa" },
    { name: "eth0", mac: "02:00:5e:00:53:bb", sandbox: "/run/netns/c1" },
  ],
  ips: [{ interface: 1, address: "10.1.0.2/24" }],
};
const chained = { prevResult };

/** A container with such an interface. */
function containerWith(w: World, ifName = "eth0", id = "c1"): Container {
  const container = w.container(id);
  container.must("ip", "link", "add", ifName, "up", "type", "veth", "peer", "name", `${ifName}-peer`);
  return container;
}

async function start(t: Parameters<typeof World.start>[0]): Promise<[World, Container]> {
  const w = await World.start(t);
  return [w, containerWith(w)];
}

/** What tuning changes of an interface, as iproute2 sees it. */
function settingsOf(container: Container, ifName = "eth0"): Json {
  const [link] = container.ip("link", "show", "dev", ifName);
  // A queue of length 0 is not printed.
  const { address: mac, mtu, txqlen: txQLen = 0, promiscuity, allmulti } = link;
  return { mac, mtu, promisc: promiscuity > 0, allmulti: allmulti > 0, txQLen };
}

function sysctl(container: Container, name: string): string {
  return container.must("cat", `/proc/sys/${name}`).trim().replaceAll("\t", " ");
}

/** The files of backups, and what is in them. */
function backups(w: World, folder = FOLDER): Record<string, Json> {
  const names = w.exec(["ls", "-A", folder]).stdout.split("\n").filter(Boolean);
  return Object.fromEntries(names.map((name) => [name, JSON.parse(w.read(`${folder}/${name}`))]));
}

const everything = {
  type: "tuning",
  mac: MAC,
  mtu: 1400,
  promisc: true,
  allmulti: true,
  txQLen: 77,
  sysctl: { "net.ipv4.conf.IFNAME.arp_ignore": "1", "net.ipv4.ip_forward": "1" },
};

for (const [option, value, now] of [
  ["mac", MAC.toUpperCase(), MAC],
  ["mtu", 1400, 1400],
  ["promisc", true, true],
  ["allmulti", true, true],
  ["txQLen", 0, 0],
] as const)
  test(`${option} is set, told by the backup, and restored`, async (t) => {
    const [w, c1] = await start(t);
    const config = { type: "tuning", [option]: value };
    const before = settingsOf(c1);
    const result = w.add(config, c1, chained);
    assert.deepEqual(settingsOf(c1), { ...before, [option]: now });
    assert.deepEqual(backups(w), {
      "c1_eth0.json": { [option]: before[option], network: "net", set: { [option]: now } },
    });
    assert.match(w.must("stat", "--format=%a", `${FOLDER}/c1_eth0.json`), /^600$/m);
    const [host, container] = prevResult.interfaces;
    const told = option === "mac" || option === "mtu" ? { [option]: now } : {};
    assert.deepEqual(result, { ...prevResult, interfaces: [host, { ...container, ...told }] });
    w.check(config, c1, result);
    w.del(config, c1, { prevResult: result });
    assert.deepEqual([settingsOf(c1), backups(w)], [before, {}]);
  });

test("allmulti may be switched off; promisc and mtu that are nothing change nothing", async (t) => {
  const [w, c1] = await start(t);
  c1.must("ip", "link", "set", "eth0", "promisc", "on", "allmulticast", "on");
  const before = settingsOf(c1);
  const config = { type: "tuning", promisc: false, mtu: 0, mac: "" };
  assert.deepEqual(w.add(config, c1, chained), prevResult);
  assert.deepEqual([settingsOf(c1), backups(w)], [before, {}]);
  w.check(config, c1, prevResult);
  const off = { type: "tuning", allmulti: false };
  w.add(off, c1, chained);
  w.check(off, c1, prevResult);
  assert.deepEqual(settingsOf(c1), { ...before, allmulti: false });
  w.del(off, c1);
  assert.deepEqual(settingsOf(c1), before);
});

test("dataDir is where the backups are", async (t) => {
  const [w, c1] = await start(t);
  const config = { type: "tuning", mtu: 1400, dataDir: "/run/some/where" };
  w.add(config, c1, chained);
  assert.deepEqual(Object.keys(backups(w, "/run/some/where")), ["c1_eth0.json"]);
  w.del(config, c1);
  assert.deepEqual([settingsOf(c1).mtu, backups(w, "/run/some/where"), backups(w)], [1500, {}, {}]);
});

test("sysctl: values in the container's namespace, with IFNAME for its interface; no backup for them alone", async (t) => {
  const w = await World.start(t);
  const c1 = containerWith(w, "eth0.100");
  c1.must("ip", "link", "add", "$&", "type", "bridge");
  const forwarding = w.read("/proc/sys/net/ipv4/ip_forward");
  const config = {
    type: "tuning",
    sysctl: {
      "net.ipv4.conf.IFNAME.arp_ignore": "1",
      "net/ipv4/conf/eth0.100/arp_announce": "2",
      "net.ipv4.conf.eth0/100-peer.arp_ignore": "3",
      "net.ipv4.ip_forward": "1",
      "net.ipv4.tcp_rmem": "4096 131072 6291456",
      "net.ipv4.ip_local_port_range": "40000 50000",
      // It can be written only.
      "net.ipv4.route.flush": "1",
    },
  };
  const settings = { ...chained, ifName: "eth0.100" };
  assert.deepEqual(w.add(config, c1, settings), prevResult);
  for (const [name, value] of [
    ["net/ipv4/conf/eth0.100/arp_ignore", "1"],
    ["net/ipv4/conf/eth0.100/arp_announce", "2"],
    ["net/ipv4/conf/eth0.100-peer/arp_ignore", "3"],
    ["net/ipv4/ip_forward", "1"],
    ["net/ipv4/tcp_rmem", "4096 131072 6291456"],
    ["net/ipv4/ip_local_port_range", "40000 50000"],
  ] as const)
    assert.equal(sysctl(c1, name), value, name);
  assert.equal(w.read("/proc/sys/net/ipv4/ip_forward"), forwarding);
  assert.deepEqual(backups(w), {});
  delete (config.sysctl as Json)["net.ipv4.route.flush"];
  w.check(config, c1, prevResult, { ifName: "eth0.100" });
  w.add({ type: "tuning", sysctl: { "net.ipv4.conf.IFNAME.arp_ignore": "2" } }, c1, {
    ...chained,
    ifName: "$&",
  });
  assert.equal(sysctl(c1, "net/ipv4/conf/$&/arp_ignore"), "2");
});

/** What is wrong, and what is said: all with nothing changed. */
const wrong: readonly [config: Json, code: number, msg: string | RegExp][] = [
  [{ sysctl: { "kernel.hostname": "x" } }, 7, 'invalid net sysctl key: "kernel.hostname"'],
  [{ sysctl: { "net/../kernel/hostname": "x" } }, 7, 'invalid net sysctl key: "net/../kernel/hostname"'],
  [{ sysctl: { "/proc/sys/net/core/somaxconn": "1" } }, 7, /^invalid net sysctl key: /],
  [{ sysctl: { "net.ipv4.nonsense": "1" } }, 7, 'unknown sysctl "net.ipv4.nonsense"'],
  [
    { sysctl: { "net.ipv4.conf.eth0.100.arp_ignore": "1" } },
    7,
    /^unknown sysctl "net\.ipv4\.conf\.eth0\.100\.arp_ignore"$/,
  ],
  [{ sysctl: { "net.ipv4.conf": "1" } }, 7, '"net.ipv4.conf" is a folder of sysctls'],
  [{ sysctl: { "net.ipv4.ip_forward": "x" } }, 7, 'sysctl net.ipv4.ip_forward does not take the value "x"'],
  [{ sysctl: { "net.ipv4.ip_forward": 1 } }, 7, /sysctl\.net\.ipv4\.ip_forward: expected a string, got 1$/],
  [
    { sysctl: { "net.ipv4.ip_forward": "1", "net/ipv4/ip_forward": "0" } },
    7,
    "duplicated sysctl keys are not allowed",
  ],
  [{ sysctl: { "net.ipv4.ip_forward\0": "1" } }, 7, 'invalid net sysctl key: "net.ipv4.ip_forward\\u0000"'],
  [{ sysctl: { [`net.${"x".repeat(300)}`]: "1" } }, 7, /^unknown sysctl "net\.x+/],
  // It is the host's, and read-only elsewhere.
  [{ sysctl: { "net.core.rmem_max": "5" } }, 7, "sysctl net.core.rmem_max cannot be set in a container"],
  // The kernel takes the first numbers before it sees the rest.
  [
    { sysctl: { "net.ipv4.tcp_rmem": "5000 5001 x" } },
    7,
    /^sysctl net\.ipv4\.tcp_rmem does not take the value/,
  ],
  [{ mac: "02:00:5e:00:53:01:02:03" }, 7, "MAC address 02:00:5e:00:53:01:02:03 is none for eth0"],
  [{ mac: "02:00" }, 7, /mac: expected a MAC address .*, got "02:00"$/],
  [{ mac: "01:00:5e:00:00:01" }, 100, /^cannot set mac 01:00:5e:00:00:01.* of eth0: /],
  [{ mtu: 70000 }, 100, /^cannot set .*mtu 70000.* of eth0: /],
  [{ mtu: -1 }, 7, /mtu: expected a whole number from 0/],
  [{ txQLen: -1 }, 7, /txQLen: expected a whole number from 0/],
  [{ promisc: "yes" }, 7, /promisc: expected true or false, got "yes"$/],
  [{ dataDir: "/proc/self/stat" }, 5, /\/proc\/self\/stat/],
];
test("what cannot be set is refused, and all is as before", async (t) => {
  const [w, c1] = await start(t);
  const state = () => [
    settingsOf(c1),
    sysctl(c1, "net/ipv4/ip_forward"),
    sysctl(c1, "net/core/somaxconn"),
    sysctl(c1, "net/ipv4/tcp_rmem"),
    backups(w),
  ];
  const before = state();
  for (const [config, code, msg] of wrong) {
    const merged = {
      ...everything,
      ...config,
      sysctl: { "net.core.somaxconn": "7", ...(config.sysctl ?? everything.sysctl) },
    };
    const error = w.refused("ADD", merged, c1, chained);
    const where = `${JSON.stringify(config)}: ${JSON.stringify(error)}`;
    assert.equal(error.code, code, where);
    if (typeof msg === "string") assert.equal(error.msg, msg, where);
    else assert.match(error.msg, msg, where);
    assert.doesNotMatch(error.details ?? "", /undone/, where);
    assert.deepEqual(state(), before, where);
  }
});

test("without prevResult, interface or understood CNI_ARGS nothing is done", async (t) => {
  const [w, c1] = await start(t);
  for (const [verb, settings, code, msg] of [
    ["ADD", {}, 7, "Required prevResult missing"],
    ["CHECK", {}, 7, "Required prevResult missing"],
    ["ADD", { ...chained, ifName: "eth7" }, 100, "interface eth7 not found"],
    ["ADD", { ...chained, args: "COLOR=blue" }, 4, "CNI_ARGS: unknown args COLOR"],
    ["ADD", { ...chained, args: "MAC=blue" }, 4, 'CNI_ARGS: invalid MAC "blue"'],
  ] as const) {
    const config = { type: "tuning", mtu: 1400 };
    const error = w.refused(verb, config, c1, settings);
    assert.deepEqual([error.code, error.msg], [code, msg]);
  }
  assert.deepEqual([settingsOf(c1).mtu, backups(w)], [1500, {}]);
});

test("a sysctl that is twice in the text is refused", async (t) => {
  const [w, c1] = await start(t);
  const stdin = `{ "cniVersion": "1.1.0", "name": "net", "type": "tuning", "prevResult": ${JSON.stringify(prevResult)},
    "sysctl": { "net.ipv4.ip_forward": "0", "net.ipv4.ip_forward": "1" } }`;
  for (const verb of ["ADD", "CHECK"]) {
    const { code, output } = ask(w, "tuning", variables(w, verb), stdin);
    assert.deepEqual([code, output.code, output.msg], [1, 7, "duplicated sysctl keys are not allowed"]);
  }
  assert.equal(sysctl(c1, "net/ipv4/ip_forward"), "0");
});

test("args.cni wins over the capability mac, that over CNI_ARGS, and that over the configuration", async (t) => {
  const [w, c1] = await start(t);
  const macs = [1, 2, 3, 4].map((n) => `02:00:5e:00:53:0${n}`);
  const steps: [Json, string | undefined][] = [
    [{ mac: macs[0] }, undefined],
    [{ mac: macs[0] }, `IgnoreUnknown=1;COLOR=blue;MAC=${macs[1]}`],
    [{ mac: macs[0], runtimeConfig: { mac: macs[2] } }, `MAC=${macs[1]}`],
    [{ mac: macs[0], runtimeConfig: { mac: macs[2] }, args: { cni: { mac: macs[3] } } }, `MAC=${macs[1]}`],
  ];
  for (const [index, [config, args]] of steps.entries()) {
    w.add({ type: "tuning", ...config }, c1, { ...chained, args });
    assert.equal(settingsOf(c1).mac, macs[index]);
    w.del({ type: "tuning" }, c1);
  }
  const before = settingsOf(c1);
  const cni = { promisc: true, mtu: 1300, allmulti: true, txQLen: 5 };
  w.add(
    { type: "tuning", promisc: false, mtu: 1400, allmulti: false, txQLen: 9, args: { cni } },
    c1,
    chained,
  );
  assert.deepEqual(settingsOf(c1), { ...before, ...cni });
});

test("args.cni.sysctl is taken, with and without sysctl beside it", async (t) => {
  const [w, c1] = await start(t);
  const args = { cni: { sysctl: { "net/ipv4/conf/IFNAME/arp_ignore": "2" } } };
  for (const [config, announce] of [
    [{ type: "tuning", args }, "0"],
    [
      {
        type: "tuning",
        sysctl: { "net.ipv4.conf.IFNAME.arp_ignore": "1", "net.ipv4.conf.IFNAME.arp_announce": "1" },
        args,
      },
      "1",
    ],
  ] as const) {
    w.add(config, c1, chained);
    assert.equal(sysctl(c1, "net/ipv4/conf/eth0/arp_ignore"), "2");
    assert.equal(sysctl(c1, "net/ipv4/conf/eth0/arp_announce"), announce);
    w.check(config, c1, prevResult);
    c1.must("sh", "-c", "echo 0 > /proc/sys/net/ipv4/conf/eth0/arp_ignore");
  }
});

test("the allowlist: a regular expression a line says which sysctls may be set", async (t) => {
  const [w, c1] = await start(t);
  const allow = (...lines: string[]) => {
    w.exec(["tee", "/etc/cni/tuning/allowlist.conf"], { input: lines.join("\n") });
  };
  // An /etc of the world's own.
  w.must(
    "sh",
    "-c",
    "mkdir -p /run/etc/cni/tuning && cp /etc/ld.so.cache /run/etc && mount --bind /run/etc /etc",
  );
  const config = { type: "tuning", mtu: 1400, sysctl: { "net.ipv4.conf.IFNAME.arp_ignore": "1" } };
  const slashed = { type: "tuning", sysctl: { "net/ipv4/conf/IFNAME/arp_ignore": "1" } };
  w.add(slashed, c1, chained);
  for (const lines of [
    ["^net\\.core\\.", "", "  ^net\\.ipv4\\.conf\\.(?P<who>IFNAME|eth[[:digit:]]+)\\.arp_[a-z]+$  "],
    ["arp_ignore"],
  ]) {
    allow(...lines);
    w.status(config);
    w.add(config, c1, chained);
    w.del(config, c1);
  }
  allow("", "^net\\.core\\.", "arp_announce");
  for (const verb of ["ADD", "STATUS"] as const) {
    const error = w.refused(verb, config, verb === "ADD" ? c1 : undefined, chained);
    assert.deepEqual(
      [error.code, error.msg, error.details],
      [
        7,
        "sysctl net.ipv4.conf.IFNAME.arp_ignore is not allowed",
        "/etc/cni/tuning/allowlist.conf allows what matches one of: ^net\\.core\\. arp_announce",
      ],
    );
  }
  const byArgs = { type: "tuning", args: { cni: { sysctl: config.sysctl } } };
  assert.match(w.refused("ADD", byArgs, c1, chained).msg, /is not allowed$/);
  allow();
  assert.match(w.refused("ADD", config, c1, chained).msg, /is not allowed$/);
  allow("arp", "net.(?=x)");
  assert.deepEqual(
    [w.refused("ADD", config, c1, chained).code, w.refused("STATUS", config).msg],
    [100, '/etc/cni/tuning/allowlist.conf, line 2: invalid regular expression "net.(?=x)"'],
  );
  w.must("sh", "-c", "rm /etc/cni/tuning/allowlist.conf; mkdir /etc/cni/tuning/allowlist.conf");
  const unreadable = w.refused("ADD", config, c1, chained);
  assert.deepEqual([unreadable.code, /allowlist\.conf: EISDIR$/.test(unreadable.msg)], [5, true]);
  assert.deepEqual([settingsOf(c1).mtu, backups(w)], [1500, {}]);
  // Who sets no sysctl is not concerned.
  w.add({ type: "tuning", mtu: 1400 }, c1, chained);
});

for (const cniVersion of VERSIONS)
  test(`tuning in version ${cniVersion}`, async (t) => {
    const [w, c1] = await start(t);
    const old = VERSIONS.indexOf(cniVersion) < VERSIONS.indexOf("0.3.0");
    const family = VERSIONS.indexOf(cniVersion) < VERSIONS.indexOf("1.0.0") ? { version: "4" } : {};
    const given = old
      ? { cniVersion, ip4: { ip: "10.1.0.2/24" } }
      : { ...prevResult, cniVersion, ips: [{ ...prevResult.ips[0], ...family }] };
    const config = { ...everything, cniVersion };
    const before = settingsOf(c1);
    const result = w.add(config, c1, { prevResult: given });
    const { type, sysctl: _, ...settings } = everything;
    assert.deepEqual(settingsOf(c1), settings);
    assert.equal(result.cniVersion, cniVersion);
    if (old) assert.equal(result.ip4.ip, "10.1.0.2/24");
    else
      assert.deepEqual(result.interfaces[1], {
        name: "eth0",
        mac: MAC,
        sandbox: "/run/netns/c1",
        ...(cniVersion === "1.1.0" && { mtu: 1400 }),
      });
    if (VERSIONS.indexOf(cniVersion) >= VERSIONS.indexOf("0.4.0")) w.check(config, c1, result);
    w.del(config, c1, { prevResult: result });
    assert.deepEqual([settingsOf(c1), backups(w)], [before, {}]);
  });

test("two of them in one chain: what was before the first comes back", async (t) => {
  const [w, c1] = await start(t);
  const before = settingsOf(c1);
  const first = { type: "tuning", mac: MAC, mtu: 1400 };
  const second = { type: "tuning", mtu: 1300, txQLen: 5 };
  const result = w.add(second, c1, { prevResult: w.add(first, c1, chained) });
  assert.deepEqual(result.interfaces[1], { ...prevResult.interfaces[1], mac: MAC, mtu: 1300 });
  assert.deepEqual(settingsOf(c1), { ...before, mac: MAC, mtu: 1300, txQLen: 5 });
  for (const config of [second, first]) w.del(config, c1, { prevResult: result });
  assert.deepEqual([settingsOf(c1), backups(w)], [before, {}]);

  // The second fails: the first's is as it was.
  const given = w.add(first, c1, chained);
  const backup = backups(w);
  const tuned = settingsOf(c1);
  w.refused("ADD", { ...second, mtu: 70000 }, c1, { prevResult: given });
  assert.deepEqual([settingsOf(c1), backups(w)], [tuned, backup]);
  w.del(first, c1);
  assert.deepEqual(settingsOf(c1), before);
});

test("a backup that was left of a former interface of the name is not believed", async (t) => {
  const [w, c1] = await start(t);
  w.add({ type: "tuning", mtu: 1400, txQLen: 5 }, c1, chained);
  c1.must("ip", "link", "del", "eth0");
  c1.must("ip", "link", "add", "eth0", "mtu", "1450", "type", "veth", "peer", "name", "eth0-peer");
  const before = settingsOf(c1);
  const config = { type: "tuning", mtu: 1300 };
  w.add(config, c1, chained);
  w.del(config, c1);
  assert.deepEqual([settingsOf(c1), backups(w)], [before, {}]);
});

test("two networks on one container are kept apart", async (t) => {
  const [w, c1] = await start(t);
  c1.must("ip", "link", "add", "eth1", "type", "veth", "peer", "name", "eth1-peer");
  const [one, other] = [1400, 1300].map((mtu, index) => ({ type: "tuning", name: `net${index}`, mtu }));
  w.add(one, c1, chained);
  w.add(other, c1, { ...chained, ifName: "eth1" });
  assert.deepEqual(Object.keys(backups(w)), ["c1_eth0.json", "c1_eth1.json"]);
  w.del(one, c1);
  assert.deepEqual([settingsOf(c1).mtu, settingsOf(c1, "eth1").mtu], [1500, 1300]);
  w.del(other, c1, { ifName: "eth1" });
  assert.deepEqual([settingsOf(c1, "eth1").mtu, backups(w)], [1500, {}]);
});

test("DEL twice, without namespace, interface or backup, and with a torn one", async (t) => {
  const [w, c1] = await start(t);
  w.del(everything, c1);
  const tear = (text: string) => () => w.must("sh", "-c", `echo '${text}' > ${FOLDER}/c1_eth0.json`);
  const nothing = () => {};
  for (const [damage, settings] of [
    [nothing, { prevResult: { cniVersion: "9.9.9" } }],
    [nothing, { netns: "" }],
    [nothing, { netns: "/run/netns/none" }],
    [tear('{"mtu": 15'), {}],
    [tear('{"mtu": "x"}'), {}],
    [tear(""), {}],
    [() => c1.must("ip", "link", "del", "eth0"), {}],
    [() => c1.vanish(), {}],
  ] as const) {
    if (c1.exec("ip", "link", "show", "dev", "eth0").code === 0) w.add(everything, c1, chained);
    damage();
    for (let times = 0; times < 2; times++) {
      w.del(everything, c1, settings);
      assert.deepEqual(backups(w), {});
    }
  }
});

/** What is done by hand, and what CHECK says then. */
const damages: readonly [what: readonly string[], msg: string | RegExp][] = [
  [
    ["ip", "link", "set", "eth0", "address", "02:00:5e:00:53:09"],
    `mac of eth0 is 02:00:5e:00:53:09, not ${MAC}`,
  ],
  [["ip", "link", "set", "eth0", "mtu", "1401"], "mtu of eth0 is 1401, not 1400"],
  [["ip", "link", "set", "eth0", "promisc", "off"], "promisc of eth0 is false, not true"],
  [["ip", "link", "set", "eth0", "allmulticast", "off"], "allmulti of eth0 is false, not true"],
  [["ip", "link", "set", "eth0", "txqueuelen", "78"], "txQLen of eth0 is 78, not 77"],
  [
    ["sh", "-c", "echo 2 > /proc/sys/net/ipv4/conf/eth0/arp_ignore"],
    'sysctl net/ipv4/conf/eth0/arp_ignore is "2", not "1"',
  ],
  [["sh", "-c", "echo 0 > /proc/sys/net/ipv4/ip_forward"], 'sysctl net/ipv4/ip_forward is "0", not "1"'],
  [["ip", "link", "del", "eth0"], "interface eth0 is missing in /run/netns/c1"],
];
test("what the interface cannot be any more does not stop DEL, and all else is restored", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  w.must("ip", "link", "add", "m0", "up", "mtu", "1500", "type", "bridge");
  w.add({ type: "macvlan", master: "m0" }, c1);
  const { mac } = settingsOf(c1);
  const config = { type: "tuning", mtu: 1300, mac: MAC, promisc: true };
  w.add(config, c1, chained);
  w.must("ip", "link", "set", "m0", "mtu", "1400");
  w.del(config, c1, chained);
  const { mtu, promisc, ...now } = settingsOf(c1);
  assert.deepEqual([mtu, promisc, now.mac, backups(w)], [1300, false, mac, {}]);
});

for (const call of ["sendto", "open", "write", "rename"])
  test(`tuning, killed behind any ${call} of ADD, leaves nothing that DEL does not find`, async (t) => {
    const [world, container] = await start(t);
    const state = () => [settingsOf(container), backups(world)];
    const { sysctl: _, ...config } = everything;
    assert.ok(delClearsKilled({ world, container, config, settings: chained, state }, call) > 0);
  });

test("CHECK finds each setting that is not as ADD has left it", async (t) => {
  const [w, c1] = await start(t);
  for (const [damage, msg] of damages) {
    const result = w.add(everything, c1, chained);
    w.check(everything, c1, result);
    c1.must(...damage);
    assert.equal(w.refused("CHECK", everything, c1, { prevResult: result }).msg, msg);
    w.del(everything, c1);
  }
});

test("CHECK looks at what is configured alone", async (t) => {
  const [w, c1] = await start(t);
  const config = { type: "tuning", mtu: 1400 };
  const result = w.add(config, c1, chained);
  c1.must("ip", "link", "set", "eth0", "promisc", "on", "allmulticast", "on", "txqueuelen", "5");
  w.check(config, c1, result);
});

test("GC removes the backups of what is not in the list, and nothing else", async (t) => {
  const w = await World.start(t);
  const config = { type: "tuning", mtu: 1400 };
  const other = { ...config, name: "other" };
  w.gc(config, []);
  for (const id of ["keep", "stale", "foreign"]) {
    const container = containerWith(w, "eth0", id);
    w.add(id === "foreign" ? other : config, container, chained);
  }
  const names = () => Object.keys(backups(w));
  // A write that was cut off, a file of the reference, one of somebody else.
  w.must(
    "sh",
    "-c",
    `cd ${FOLDER}; cp stale_eth0.json stale_eth0.json.tmp; cp foreign_eth0.json foreign_eth0.json.tmp
     echo '{"mtu": 1500}' > theirs_eth0.json; echo '{"network": "net"}' > notes.txt`,
  );
  const theirs = ["foreign_eth0.json", "foreign_eth0.json.tmp"];
  w.gc(config, ["keep/eth0", "gone/eth0", "stale/eth1"]);
  assert.deepEqual(names(), [...theirs, "keep_eth0.json", "notes.txt", "theirs_eth0.json"]);
  w.gc(config, []);
  assert.deepEqual(names(), [...theirs, "notes.txt", "theirs_eth0.json"]);
  w.gc(other, ["foreign/eth0"]);
  assert.deepEqual(names(), [...theirs, "notes.txt", "theirs_eth0.json"]);
  w.gc(other, []);
  assert.deepEqual(names(), ["notes.txt", "theirs_eth0.json"]);
});

test("STATUS fails where an ADD would", async (t) => {
  const w = await World.start(t);
  w.status(everything);
  for (const [change, code, msg] of [
    [{ dataDir: "/proc/self/stat" }, 50, "dataDir /proc/self/stat is not a directory"],
    [{ sysctl: { "kernel.hostname": "x" } }, 7, 'invalid net sysctl key: "kernel.hostname"'],
  ] as const) {
    const error = w.refused("STATUS", { ...everything, ...change });
    assert.deepEqual([error.code, error.msg], [code, msg]);
  }
});

/** For failing system calls: all that tuning changes. */
function stateOf(w: World, c1: Container): () => Json {
  const names = ["net/ipv4/conf/eth0/arp_ignore", "net/ipv4/ip_forward"];
  return () => [settingsOf(c1), backups(w), names.map((name) => sysctl(c1, name)), w.state()];
}

for (const injection of [...INJECTIONS, ["rename", "ENOSPC"], ["mkdir", "EACCES"]] as const)
  test(`ADD of tuning, where each ${injection[0]} fails once with ${injection[1]}, leaves nothing`, async (t) => {
    const [world, container] = await start(t);
    // Sysctls stay when ADD has succeeded.
    const tidy = () =>
      container.must("sh", "-c", "cd /proc/sys/net/ipv4; echo 0 > conf/eth0/arp_ignore; echo 0 > ip_forward");
    const state = stateOf(world, container);
    const subject = { world, container, config: everything, settings: chained, state, tidy };
    assert.ok(addLeavesNothing(subject, injection) > 0);
  });

for (const call of ["sendto", "unlink"])
  test(`DEL of tuning tells of each ${call} that fails, and the next DEL removes the rest`, async (t) => {
    const [world, container] = await start(t);
    const state = () => [settingsOf(container), backups(world)];
    const subject = { world, container, config: everything, settings: chained, state };
    assert.ok(delTells(subject, call) > 0);
  });

for (const [maker, remover] of [
  ["reference", "ours"],
  ["ours", "reference"],
] as const)
  test(`tuning: made by ${maker}, removed by ${remover}`, besideReference, async (t) => {
    const [w, c1] = await start(t);
    const path = { reference: reference!, ours: w.bin };
    const before = settingsOf(c1);
    // Debian 12's reference knows no txQLen.
    const { txQLen, sysctl: _, ...config } = { ...everything, cniVersion: "1.0.0" };
    const given = { prevResult: { ...prevResult, cniVersion: "1.0.0" } };
    w.add(config, c1, { ...given, path: path[maker] });
    w.check(config, c1, given.prevResult, { path: path[remover] });
    w.del(config, c1, { ...given, path: path[remover] });
    assert.deepEqual([settingsOf(c1), backups(w)], [before, {}]);
  });

test("behind bridge, with the whole chain's CHECK, packets flow by the new MAC", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const bridge = {
    type: "bridge",
    bridge: "br0",
    isGateway: true,
    ipam: { type: "host-local", ranges: [[{ subnet: "10.1.0.0/24" }]] },
  };
  const result = w.add(everything, c1, { prevResult: w.add(bridge, c1) });
  assert.equal(result.interfaces[2].mac, MAC);
  assert.equal(c1.pings("10.1.0.1"), true);
  for (const config of [bridge, everything]) w.check(config, c1, result);
  for (const config of [everything, bridge]) w.del(config, c1, { prevResult: result });
  assert.deepEqual([c1.link(), backups(w)], [undefined, {}]);
});
