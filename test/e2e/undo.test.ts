import assert from "node:assert/strict";
import { test } from "node:test";
import { type Container, type Json, World } from "./world.ts";

// An ADD that fails leaves nothing behind, at whichever step.

const ipam = {
  type: "host-local",
  ranges: [[{ subnet: "10.1.0.0/24" }], [{ subnet: "fd01::/64" }]],
  routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }],
};
const bridge = {
  type: "bridge",
  bridge: "br0",
  isDefaultGateway: true,
  ipMasq: true,
  macspoofchk: true,
  hairpinMode: true,
  promiscMode: false,
  ipam,
};
const ptp = { type: "ptp", ipMasq: true, ipam };

/** The world and the container's, as they are once plugins have made what they never remove. */
function settledState(w: World, config: Json, c1: Container): () => Json {
  w.del(config, c1, { prevResult: w.add(config, c1) });
  if (config.bridge) w.exec(["ip", "link", "delete", config.bridge]);
  return () => ({
    ...w.state(),
    inside: c1.ip("address", "show"),
    routes: c1.routes(),
    routes6: c1.routes(6),
  });
}

/** Failures as they come in practice. `prepare` gives what else is needed to make ADD fail. */
const failures: [string, (w: World, c1: Container) => Json, string | RegExp][] = [
  [
    "a route over a gateway that is nowhere",
    () => ({ ipam: { ...ipam, routes: [{ dst: "10.9.0.0/16", gw: "192.0.2.1" }] } }),
    /^cannot add route 10\.9\.0\.0\/16 via 192\.0\.2\.1 dev eth0: /,
  ],
  [
    "an IPv6 route over a gateway that is nowhere",
    () => ({ ipam: { ...ipam, routes: [{ dst: "fd09::/64", gw: "fd02::1" }] } }),
    /^cannot add route fd09::\/64 via fd02::1 dev eth0: /,
  ],
  [
    "no address left in the second range",
    (w) => {
      const ranges = [...ipam.ranges, [{ subnet: "10.2.0.0/30" }]];
      const used = { type: "ptp", name: "net", ipam: { ...ipam, ranges: [[{ subnet: "10.2.0.0/30" }]] } };
      const other = w.container("other");
      w.add(used, other);
      return { ipam: { ...ipam, ranges } };
    },
    /no IP addresses available in range set: 10\.2\.0\.1-10\.2\.0\.2$/,
  ],
  ["IPAM fails", () => ({ ipam: { ...ipam, dataDir: "/proc" } }), /./],
  ["IPAM gives no address", () => ({ ipam: { type: "static" } }), "IPAM plugin returned missing IP config"],
  [
    "iptables is not installed",
    () => ({ ipMasqBackend: "iptables", env: { PATH: "/nowhere" } }),
    /^program iptables-restore not found$/,
  ],
  [
    "ip6tables fails after iptables has made its rules",
    (w) => {
      w.must("mkdir", "/run/programs");
      w.must(
        "sh",
        "-c",
        "for p in iptables-restore iptables-save ip6tables-save; do ln -s $(command -v $p) /run/programs/$p; done",
      );
      w.must(
        "sh",
        "-c",
        "printf '#!/bin/sh\\necho no room >&2; exit 4\\n' > /run/programs/ip6tables-restore; chmod +x /run/programs/*",
      );
      return { ipMasqBackend: "iptables", env: { PATH: "/run/programs:/usr/bin:/bin" } };
    },
    "/run/programs/ip6tables-restore failed with exit code 4",
  ],
  [
    "the name of masquerading's chain is that of a map",
    (w) => {
      w.must("nft", "delete", "table", "inet", "cni_plugins_masquerade");
      w.must(
        "nft",
        "add table inet cni_plugins_masquerade { chain masq_checks { type filter hook input priority 0; }; }",
      );
      return {};
    },
    /./,
  ],
];
const ofBridge: typeof failures = [
  [
    "the gateway's address is another one's on the bridge",
    (w) => {
      w.must("ip", "link", "add", "br9", "type", "bridge");
      w.must("ip", "address", "add", "192.0.2.1/24", "dev", "br9");
      return { bridge: "br9" };
    },
    '"br9" already has an IP address different from 10.1.0.1/24',
  ],
  [
    "the IPv6 gateway's address is taken, after the IPv4 one was set",
    (w) => {
      w.must("ip", "link", "add", "br9", "up", "type", "bridge");
      w.must("ip", "address", "add", "fd01::9/64", "dev", "br9", "nodad");
      return { bridge: "br9" };
    },
    '"br9" already has an IP address different from fd01::1/64',
  ],
  [
    "masquerading fails, after the addresses of the bridge were replaced",
    (w) => {
      w.must("ip", "link", "add", "br9", "type", "bridge");
      for (const address of ["192.0.2.1/24", "192.0.2.2/24"])
        w.must("ip", "address", "add", address, "dev", "br9");
      w.must("ip", "address", "add", "fd01::9/64", "dev", "br9", "nodad");
      w.must("ip", "link", "set", "br9", "up");
      return { bridge: "br9", forceAddress: true, ipMasqBackend: "iptables", env: { PATH: "/nowhere" } };
    },
    /^program iptables-restore not found$/,
  ],
  [
    "the spoof check's table is of another kind",
    (w) => {
      w.must(
        "nft",
        "delete table bridge nat; add table bridge nat; add chain bridge nat PREROUTING { type filter hook input priority 0; }",
      );
      return {};
    },
    /^cannot add chain bridge nat PREROUTING: /,
  ],
  [
    "the address is another's on the bridge",
    (w) => {
      const other = w.container("other");
      w.add(
        { ...bridge, bridge: "br9", ipam: { type: "static", addresses: [{ address: "fd01::3/64" }] } },
        other,
      );
      return { bridge: "br9", enabledad: true };
    },
    "address fd01::3/64 is in use by another host",
  ],
];

for (const [config, what, prepare, msg] of [
  ...failures.map((failure) => [ptp, ...failure] as const),
  ...[...failures, ...ofBridge].map((failure) => [bridge, ...failure] as const),
])
  test(`${config.type}, undone: ${what}`, async (t) => {
    const w = await World.start(t);
    const c1 = w.container();
    const state = settledState(w, config, c1);
    const { env, ...change } = prepare(w, c1);
    const before = state();
    const error = w.refused("ADD", { ...config, ...change }, c1, { env });
    if (typeof msg === "string") assert.equal(error.msg, msg);
    else assert.match(error.msg, msg);
    assert.doesNotMatch(error.details ?? "", /undone/);
    assert.deepEqual(state(), before);
  });
