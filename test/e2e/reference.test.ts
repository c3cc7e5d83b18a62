import assert from "node:assert/strict";
import { test } from "node:test";
import { linesOf } from "./kernel-state.ts";
import { besideReference, type Json, reference, World } from "./world.ts";

// What one implementation made, the other one finds whole and removes whole: the reference's plugins, and ours.

const ipam = {
  type: "host-local",
  ranges: [[{ subnet: "10.1.0.0/24" }], [{ subnet: "fd01::/64" }]],
  routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }],
};
// The reference of Debian 12 masquerades by iptables only.
const common = { cniVersion: "1.0.0", ipMasq: true, ipMasqBackend: "iptables", ipam };
const bridge = {
  type: "bridge",
  bridge: "br0",
  isGateway: true,
  hairpinMode: true,
  macspoofchk: true,
  ...common,
};
const ptp = { type: "ptp", ...common };

/** A result in which names and MACs that are made up are the same for all, as is an empty `dns`. */
function plain({ dns = {}, ...result }: Json): Json {
  const interfaces = result.interfaces.map(({ name, ...rest }: Json) => ({
    ...rest,
    name: name.replace(/^veth.*/, "veth"),
    mac: "M",
  }));
  return { ...result, dns, interfaces };
}

for (const config of [bridge, ptp, { type: "bridge", cniVersion: "1.0.0", bridge: "br0" }])
  for (const [maker, remover] of [
    ["reference", "ours"],
    ["ours", "reference"],
  ] as const)
    test(
      `${config.type}${"ipam" in config ? "" : " on layer 2"}: made by ${maker}, removed by ${remover}`,
      besideReference,
      async (t) => {
        const w = await World.start(t);
        const c1 = w.container();
        const path = { reference: reference!, ours: w.bin };
        const own = w.add(config, c1, { path: w.bin });
        w.del(config, c1, { path: w.bin });
        const before = w.state();
        const result = w.add(config, c1, { path: path[maker] });
        const expected = plain(own);
        for (const ip of expected.ips ?? []) ip.address = ip.address.replace(/2\//, "3/");
        assert.deepEqual(plain(result), expected);
        if ("ipam" in config) {
          w.check(config, c1, result, { path: path[remover] });
          for (const gateway of ["10.1.0.1", "fd01::1"]) assert.equal(c1.pings(gateway), true, gateway);
        }
        w.del(config, c1, { path: path[remover], prevResult: result });
        assert.equal(c1.link(), undefined);
        assert.deepEqual(w.state(), before);
      },
    );

test(
  "the reference's container, which has lost its namespace, leaves no rules and addresses",
  besideReference,
  async (t) => {
    for (const config of [bridge, ptp]) {
      const w = await World.start(t);
      const c1 = w.container();
      w.add(config, c1, { path: reference });
      c1.vanish();
      w.del(config, c1);
      const ours = w.rules().filter((rule) => /macspoofchk|CNI-/.test(rule));
      assert.deepEqual([ours, w.iptables(), w.reserved()], [[], [], {}]);
    }
  },
);

test(
  "our bridge with the reference's host-local, and the reference's with ours",
  besideReference,
  async (t) => {
    const w = await World.start(t);
    const c1 = w.container();
    for (const [plugin, helper] of [
      [w.bin, reference!],
      [reference!, w.bin],
    ]) {
      // CNI_PATH decides which host-local is found; the plugin is named by its path.
      const config = { ...ptp, ipam: { ...ipam, type: "host-local" } };
      const wrap = ["env", `CNI_PATH=${helper}`];
      const result = w.add(config, c1, { path: plugin, wrap });
      assert.equal(c1.pings("10.1.0.1"), true);
      w.check(config, c1, result, { path: plugin, wrap });
      w.del(config, c1, { path: plugin, wrap });
      assert.deepEqual([c1.link(), w.reserved(), w.iptables()], [undefined, {}, []]);
    }
  },
);

for (const [maker, remover] of [
  ["reference", "ours"],
  ["ours", "reference"],
] as const)
  test(`macvlan: made by ${maker}, removed by ${remover}`, besideReference, async (t) => {
    const w = await World.start(t);
    const c1 = w.container();
    w.must(..."ip link add m0 type bridge".split(" "));
    const path = { reference: reference!, ours: w.bin };
    const v4 = { ...ipam, ranges: ipam.ranges.slice(0, 1), routes: [] };
    const config = { type: "macvlan", cniVersion: "1.0.0", master: "m0", ipam: v4 };
    w.del(config, c1, { path: w.bin, prevResult: w.add(config, c1, { path: w.bin }) });
    // What host-local remembers of its last address differs.
    const state = () => linesOf(w, c1).filter((line) => !line.startsWith("file /var/lib/cni/networks/"));
    const before = state();
    const result = w.add(config, c1, { path: path[maker] });
    w.check(config, c1, result, { path: path[remover] });
    w.del(config, c1, { path: path[remover], prevResult: result });
    assert.deepEqual([state(), w.reserved()], [before, {}]);
  });
