import assert from "node:assert/strict";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Json, World } from "./world.ts";

// What bridge, ptp and loopback have in common: how they refuse, and how DEL and STATUS go.

const ipam = { type: "host-local", ranges: [[{ subnet: "10.1.0.0/24" }]] };
const bridge = { type: "bridge", bridge: "br0", isGateway: true, ipMasq: true, macspoofchk: true, ipam };
const ptp = { type: "ptp", ipMasq: true, ipam };

for (const config of [bridge, ptp, { type: "loopback" }])
  test(`${config.type} refuses what is wrong in the call`, async (t) => {
    const w = await World.start(t);
    const c1 = w.container();
    const before = w.state();
    const refused = (change: Json, settings: Json) => {
      const { code, msg, details } = w.refused("ADD", { ...config, ...change }, c1, settings);
      return [code, msg, details];
    };
    const [code, msg, details] = refused({ cniVersion: "9.9.9" }, {});
    assert.deepEqual([code, msg], [1, "incompatible CNI versions"]);
    assert.match(details, /^config is "9\.9\.9", plugin supports \["0\.1\.0" .*"1\.1\.0"\]/);
    const wrong: [string, Json, number, string | RegExp][] = [
      ["container ID", { env: { CNI_CONTAINERID: "a/b" } }, 4, "invalid characters in containerID"],
      ["interface", { ifName: "a/b" }, 4, "interface name contains / or : or whitespace characters"],
      ["interface", { ifName: "a:b" }, 4, "interface name contains / or : or whitespace characters"],
      ["interface", { ifName: "a-name-of-16-byt" }, 4, /longer than 15/],
      ["interface", { ifName: "eth%d" }, 4, "interface name contains %"],
      ["namespace", { netns: "/run/netns/gone" }, 8, 'CNI_NETNS "/run/netns/gone" does not exist'],
      ["namespace", { netns: "" }, 8, 'CNI_NETNS "" is empty'],
      ["namespace", { netns: "/etc/passwd" }, 8, /is not a network namespace$/],
      ["namespace", { netns: "/proc/self/ns/net" }, 8, /is the namespace of the host/],
      ["command", { env: { CNI_COMMAND: "PLUG" } }, 4, 'unknown CNI_COMMAND: "PLUG"'],
    ];
    for (const [what, settings, expectedCode, expected] of wrong) {
      const [foundCode, found] = refused({}, settings);
      assert.equal(foundCode, expectedCode, what);
      if (typeof expected === "string") assert.equal(found, expected);
      else assert.match(found, expected);
    }
    assert.deepEqual([w.state(), c1.link()], [before, undefined]);
  });

for (const config of [bridge, ptp]) {
  const { type } = config;
  const nothing = { veths: [], reserved: {}, masqueraded: [], chains: [] };
  const left = (w: World) => ({
    veths: w.veths(),
    reserved: w.reserved(),
    masqueraded: w.masqueraded(),
    chains: w.rules().filter((rule) => rule.includes("-c1-")),
  });

  test(`${type}: DEL twice, and twice at once`, async (t) => {
    const w = await World.start(t);
    const c1 = w.container();
    const prevResult = w.add(config, c1);
    w.del(config, c1, { prevResult });
    assert.deepEqual([left(w), c1.link()], [nothing, undefined]);
    w.del(config, c1, { prevResult });
    w.del(config, c1);
    w.add(config, c1);
    const both = await Promise.all([1, 2].map(() => w.start("DEL", config, c1)));
    assert.deepEqual(both, [
      { code: 0, output: undefined },
      { code: 0, output: undefined },
    ]);
    assert.deepEqual([left(w), c1.link()], [nothing, undefined]);
  });

  test(`${type}: DEL of what never was makes nothing`, async (t) => {
    const w = await World.start(t);
    const before = w.state();
    w.del(config, w.container());
    assert.deepEqual(w.state(), before);
  });

  test(`${type}: DEL with an empty CNI_NETNS removes all, the living container's interface too`, async (t) => {
    const w = await World.start(t);
    const [c1, c2] = [w.container("c1"), w.container("c2")];
    w.add(config, c1);
    const other = w.add(config, c2);
    w.del(config, c1, { netns: "" });
    assert.deepEqual(left(w).chains, []);
    assert.deepEqual([c1.link(), w.reserved(), w.veths().length], [undefined, { "10.1.0.3": "c2 eth0" }, 1]);
    w.check(config, c2, other);
  });

  test(`${type}: DEL after the namespace has gone`, async (t) => {
    const w = await World.start(t);
    const c1 = w.container();
    for (const leaveFile of [false, true]) {
      w.add(config, c1);
      // Right behind: the kernel takes the namespace down in the background.
      w.must("umount", c1.netns);
      if (!leaveFile) w.must("rm", c1.netns);
      w.del(config, c1);
      assert.deepEqual(left(w), nothing);
      w.must("rm", "-f", c1.netns);
      w.must("ip", "netns", "add", "c1");
    }
  });

  test(`${type}: DEL without the bridge, with broken or foreign prevResult`, async (t) => {
    const w = await World.start(t);
    const c1 = w.container();
    for (const prevResult of [
      { ips: "nonsense" },
      { cniVersion: "0.2.0", ip4: { ip: "192.0.2.9/24" } },
      {},
    ]) {
      w.add(config, c1);
      if (type === "bridge") w.must("ip", "link", "delete", "br0");
      w.del(config, c1, { prevResult });
      assert.deepEqual([left(w), c1.link()], [nothing, undefined]);
    }
  });

  test(`${type}: DEL finds an interface that the container has renamed`, async (t) => {
    const w = await World.start(t);
    const c1 = w.container();
    const prevResult = w.add(config, c1);
    c1.must("ip", "link", "set", "eth0", "down");
    c1.must("ip", "link", "set", "eth0", "name", "mine");
    w.del(config, c1, { prevResult });
    assert.deepEqual([left(w), c1.link("mine")], [nothing, undefined]);
  });

  test(`${type}: DEL after an ADD that found the name taken leaves the interface to its owner`, async (t) => {
    const w = await World.start(t);
    w.must("ip", "link", "add", "m0", "up", "type", "bridge");
    const owners = [config, type === "ptp" ? bridge : ptp, { type: "macvlan", master: "m0", ipam }];
    const second = { ...config, name: "second" };
    for (const [i, owner] of owners.entries()) {
      const c1 = w.container(`c${i}`);
      const result = w.add(owner, c1);
      assert.equal(w.refused("ADD", second, c1).code, 4);
      w.del(second, c1);
      w.check({ ...owner, macspoofchk: false }, c1, result);
      w.del(owner, c1);
      assert.equal(c1.link(), undefined);
      w.refused("ADD", second, c1, { ifName: "lo" });
      w.del(second, c1, { ifName: "lo" });
    }
    assert.deepEqual(left(w), nothing);
  });

  test(`${type}: DEL goes on after a step that fails, and reports it`, async (t) => {
    const w = await World.start(t);
    const c1 = w.container();
    w.add(config, c1);
    const error = w.refused("DEL", { ...config, ipam: { type: "broken" } }, c1);
    assert.match(error.msg, /^cannot release the addresses: plugin broken not found/);
    assert.deepEqual([w.veths(), w.masqueraded(), c1.link()], [[], [], undefined]);
    w.del(config, c1);
    assert.deepEqual(left(w), nothing);
  });

  test(`${type}: the reservation goes though its configuration lost the range`, async (t) => {
    const w = await World.start(t);
    const c1 = w.container();
    w.add(config, c1);
    w.del({ ...config, ipam: { ...ipam, ranges: [[{ subnet: "10.7.0.0/24" }]] } }, c1);
    assert.deepEqual(left(w), nothing);
  });

  test(`${type}: STATUS is that of IPAM: ready, out of addresses, broken, missing`, async (t) => {
    const w = await World.start(t);
    w.status(config);
    const small = { ...config, ipam: { ...ipam, ranges: [[{ subnet: "10.1.0.0/30" }]] } };
    w.status(small);
    w.add(small, w.container());
    assert.equal(w.refused("STATUS", small).code, 50);
    const broken = join(w.bin, "broken");
    const error = '{"cniVersion":"1.1.0","code":51,"msg":"no server","details":"why"}';
    writeFileSync(broken, `#!/bin/sh\necho '${error}'; exit 1\n`);
    chmodSync(broken, 0o755);
    const { code, msg } = w.refused("STATUS", { ...config, ipam: { type: "broken" } });
    assert.deepEqual([code, msg], [51, "no server"]);
    writeFileSync(broken, "#!/bin/sh\nkill -9 $$\n");
    assert.match(w.refused("STATUS", { ...config, ipam: { type: "broken" } }).msg, /signal 9/);
    const missing = w.refused("STATUS", { ...config, ipam: { type: "no-such" } });
    assert.match(missing.msg, /^plugin no-such not found/);
    assert.equal(w.refused("STATUS", { ...config, cniVersion: "1.0.0" }).code, 1);
  });

  test(`${type}: the ways to name a namespace, and one that is left open`, async (t) => {
    const w = await World.start(t);
    const c1 = w.container();
    const holder = w.spawn(t, "ip", "netns", "exec", "c1", "sh", "-c", "exec 9</proc/self/ns/net; echo; cat");
    await new Promise((resolve) => holder.stdout.once("data", resolve));
    for (const netns of ["/var/run/netns/c1", `/proc/${holder.pid}/ns/net`, `/proc/${holder.pid}/fd/9`]) {
      const result = w.add(config, c1, { netns });
      assert.equal(result.interfaces.at(-1).sandbox, netns);
      assert.ok(c1.link());
      w.check(config, c1, result, { netns });
      w.del(config, c1, { netns });
      assert.equal(c1.link(), undefined);
    }
  });

  test(`${type}: an IPAM plugin that is another program is run as the specification says`, async (t) => {
    const w = await World.start(t);
    const c1 = w.container();
    const file = join(w.bin, "other");
    const log = join(w.bin, "log");
    const result = '{"cniVersion":"1.1.0","ips":[{"address":"10.1.0.7/24","gateway":"10.1.0.1"}]}';
    const script = `#!/bin/sh\necho "$CNI_COMMAND $CNI_CONTAINERID $CNI_IFNAME $CNI_NETNS" >> ${log}\ntest $CNI_COMMAND != ADD || echo '${result}'\n`;
    writeFileSync(file, script);
    chmodSync(file, 0o755);
    const own = { ...config, ipam: { type: "other" } };
    const added = w.add(own, c1);
    assert.deepEqual(c1.addresses(), ["10.1.0.7/24"]);
    w.check(own, c1, added);
    w.del(own, c1, { prevResult: added });
    w.status(own);
    w.gc(own, []);
    const attachment = "c1 eth0 /run/netns/c1";
    const calls = w
      .read(log)
      .trim()
      .split("\n")
      .map((line) => line.trim());
    assert.deepEqual(calls, [
      `ADD ${attachment}`,
      `CHECK ${attachment}`,
      `DEL ${attachment}`,
      "STATUS",
      "GC",
    ]);
  });
}
