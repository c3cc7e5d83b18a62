import assert from "node:assert/strict";
import { test } from "node:test";
import { attach, backends, bridge, by, held, NOTHING } from "./firewall-network.ts";
import { type Json, World } from "./world.ts";

// What firewall says where something is wrong: with the kernel's state, the configuration, or the host.

const firewall = { type: "firewall" };

/** What somebody does, and what CHECK says then. */
const damages: [backend: string, command: string, msg: RegExp][] = [
  [
    "nftables",
    "nft delete element inet cni_plugins_firewall addresses4 { 10.1.0.2 }",
    /^address 10\.1\.0\.2 is not accepted$/,
  ],
  ["nftables", "nft flush set inet cni_plugins_firewall addresses6", /^address fd01::2 is not accepted$/],
  [
    "nftables",
    "nft flush set inet cni_plugins_firewall bridges",
    /^ingressPolicy isolated is not in effect for br1$/,
  ],
  [
    "nftables",
    "nft flush set inet cni_plugins_firewall within",
    /^ingressPolicy isolated is not in effect for br1$/,
  ],
  [
    "nftables",
    "nft flush set inet cni_plugins_firewall isolated",
    /^ingressPolicy isolated is not in effect for br1$/,
  ],
  [
    "nftables",
    "nft flush map inet cni_plugins_firewall attachments",
    /^ingressPolicy isolated does not count this container$/,
  ],
  [
    "nftables",
    "nft flush set bridge cni_plugins_firewall isolated",
    /^port veth[0-9a-f]+ is not isolated on br1$/,
  ],
  [
    "nftables",
    "nft flush chain bridge cni_plugins_firewall forward",
    /^chain bridge cni_plugins_firewall forward is not as /,
  ],
  [
    "nftables",
    "nft flush chain inet cni_plugins_firewall forward",
    /^chain inet cni_plugins_firewall forward is not as /,
  ],
  [
    "nftables",
    "nft insert rule inet cni_plugins_firewall forward accept",
    /^chain inet cni_plugins_firewall forward is not as /,
  ],
  [
    "nftables",
    "nft flush chain inet cni_plugins_firewall further-admins",
    /^chain inet cni_plugins_firewall further-admins does not lead to OFFICE$/,
  ],
  [
    "nftables",
    "nft delete table inet cni_plugins_firewall",
    /^chain inet cni_plugins_firewall forward is not as /,
  ],
  ["iptables", "iptables -D CNI-FORWARD -s 10.1.0.2/32 -j ACCEPT", /^a rule of the firewall is missing$/],
  ["iptables", "ip6tables -F CNI-FORWARD", /^a rule of the firewall is missing$/],
  ["iptables", "iptables -F FORWARD", /^a rule of the firewall is missing$/],
  ["iptables", "iptables -F CNI-ISOLATION-STAGE-1", /^a rule of the firewall is missing$/],
  ["iptables", "iptables -F CNI-ISOLATION-STAGE-2", /^a rule of the firewall is missing$/],
  [
    "iptables",
    "iptables -F CNI-FORWARD && iptables -X CNI-ADMIN",
    /^chain CNI-ADMIN of iptables is missing$/,
  ],
  [
    "iptables",
    `iptables -D FORWARD 1; iptables -A FORWARD -m comment --comment "CNI firewall plugin rules (ingressPolicy: same-bridge|isolated)" -j CNI-ISOLATION-STAGE-1`,
    /^FORWARD of iptables leads to CNI-ISOLATION-STAGE-1 after CNI-FORWARD/,
  ],
];

test("CHECK finds each damage", async (t) => {
  for (const [backend, command, msg] of damages) {
    const w = await World.start(t);
    const c1 = w.container();
    const iptablesAdminChainName = backend === "nftables" ? "OFFICE" : "CNI-ADMIN";
    const config = { ...by(backend), ingressPolicy: "isolated", iptablesAdminChainName };
    const result = attach(w, [bridge(), config], c1);
    w.check(config, c1, result);
    w.must("sh", "-c", command);
    const error = w.refused("CHECK", config, c1, { prevResult: result });
    assert.match(error.msg, msg, command);
    assert.equal(error.code, 100);
    // DEL and ADD mend it.
    w.del(config, c1, { prevResult: result });
    w.add(config, c1, { prevResult: result });
    if (!command.includes("-D FORWARD") && !command.includes("insert")) w.check(config, c1, result);
  }
});

const refusals: [config: Json, settings: Json, code: number, msg: string | RegExp][] = [
  [{}, { prevResult: undefined }, 7, "missing prevResult from earlier plugin"],
  [
    { backend: "ipfw" },
    {},
    7,
    'invalid configuration: backend: expected one of "iptables", "nftables", "firewalld", got "ipfw"',
  ],
  [{ backend: 1 }, {}, 7, /^invalid configuration: backend: expected one of .* got 1$/],
  [
    { ingressPolicy: "closed" },
    {},
    7,
    /^invalid configuration: ingressPolicy: expected one of .* got "closed"$/,
  ],
  [{ iptablesAdminChainName: {} }, {}, 7, /^invalid configuration: iptablesAdminChainName: expected /],
  [
    { backend: "iptables", iptablesAdminChainName: "CNI FORWARD" },
    {},
    7,
    /^invalid configuration: iptablesAdminChainName: expected /,
  ],
  ...["FORWARD", "CNI-FORWARD", "forward", "further-admins", "bridge-br1"].map(
    (name) =>
      [
        { iptablesAdminChainName: name },
        {},
        7,
        `invalid configuration: iptablesAdminChainName: expected the name of a chain of your own, at most 28 characters, got "${name}"`,
      ] as (typeof refusals)[number],
  ),
  [{ backend: "iptables" }, { env: { PATH: "/nowhere" } }, 100, "program iptables-restore not found"],
  [{ backend: "firewalld" }, {}, 100, "firewalld is not running"],
  [
    { ingressPolicy: "same-bridge" },
    { prevResult: { cniVersion: "1.1.0", ips: [{ address: "10.1.0.2/24" }] } },
    7,
    'interface needs to be set for ingress policy "same-bridge", make sure to chain "firewall" plugin with "bridge"',
  ],
];

test("bad input: a clear error, and nothing is left", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const result = attach(w, [bridge()], c1);
  for (const [config, settings, code, msg] of refusals) {
    const error = w.refused("ADD", { ...firewall, ...config }, c1, { prevResult: result, ...settings });
    assert.equal(error.code, code, error.msg);
    if (typeof msg === "string") assert.equal(error.msg, msg);
    else assert.match(error.msg, msg);
    assert.doesNotMatch(error.details ?? "", /undone/);
    assert.deepEqual(held(w), NOTHING);
  }
});

test("STATUS fails where an ADD could not succeed", async (t) => {
  const w = await World.start(t);
  for (const backend of backends) w.status(by(backend));
  w.status(by("nftables"), { env: { PATH: "/nowhere" } });
  for (const [config, msg] of [
    [by("iptables"), "program iptables-restore not found"],
    [by("firewalld"), "firewalld is not running"],
  ] as const) {
    const error = w.refused("STATUS", config, undefined, { env: { PATH: "/nowhere" } });
    assert.deepEqual([error.code, error.msg], [50, msg]);
  }
});
