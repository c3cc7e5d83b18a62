import assert from "node:assert/strict";
import { test } from "node:test";
import { Host } from "../host/host.ts";
import type { Sys } from "../host/sys.ts";
import type { Result } from "../spec/result.ts";
import { plugin } from "./static.ts";

interface Options {
  readonly ipam?: unknown;
  readonly env?: Record<string, string>;
  readonly ips?: readonly string[];
  readonly args?: readonly string[];
  readonly cniVersion?: string;
  readonly prevResult?: Result;
}

/** What the plugin is told. It touches neither the host nor a namespace. */
function request({ ipam = {}, env = {}, ips = [], args = [], cniVersion = "1.1.0", prevResult }: Options) {
  const rawConfig = { ipam, runtimeConfig: { ips }, args: { cni: { ips: args } } };
  return {
    host: new Host({} as Sys),
    config: plugin.config.parse(rawConfig, ""),
    rawConfig,
    stdin: JSON.stringify(rawConfig),
    cniVersion,
    network: "net",
    hostNetns: undefined as never,
    netns: undefined as never,
    path: [],
    warn: (text: string) => assert.fail(text),
    containerId: "c1",
    ifName: "eth0",
    args: new Map(Object.entries(env)),
    ...(prevResult && { prevResult }),
  };
}

const add = (await plugin.load("add", request({})))!;
const check = (await plugin.load("check", request({})))!;
const status = (await plugin.load("status", request({})))!;

const run = (options: Options) => add(request(options), undefined as never)!;
const addresses = (options: Options) =>
  run(options).ips!.map(({ address, gateway }) => `${address}${gateway ? ` via ${gateway}` : ""}`);

const IPAM = {
  type: "static",
  addresses: [
    { address: "10.10.0.1/24", gateway: "10.10.0.254" },
    { address: "3ffe:ffff:0:1ff::1/64", gateway: "3ffe:ffff:0::1" },
  ],
  routes: [{ dst: "0.0.0.0/0" }, { dst: "192.168.0.0/16", gw: "10.10.5.1" }],
  dns: { nameservers: ["10.10.0.53"], domain: "a.example", search: ["b.example"], options: ["ndots:2"] },
};

test("gives what is configured", () => {
  assert.deepEqual(JSON.parse(JSON.stringify(run({ ipam: IPAM }))), {
    ips: [
      { address: "10.10.0.1/24", gateway: "10.10.0.254" },
      { address: "3ffe:ffff:0:1ff::1/64", gateway: "3ffe:ffff::1" },
    ],
    routes: IPAM.routes,
    dns: IPAM.dns,
  });
});

test("where the addresses come from", () => {
  const own = ["10.10.0.1/24 via 10.10.0.254", "3ffe:ffff:0:1ff::1/64 via 3ffe:ffff::1"];
  const env = { IP: "10.11.0.2/24, 10.12.0.2/24", GATEWAY: "10.11.0.1,10.99.0.1" };
  const cases: [Options, string[]][] = [
    [{}, own],
    [{ env: { IP: "", GATEWAY: "" } }, own],
    [{ env }, [...own, "10.11.0.2/24 via 10.11.0.1", "10.12.0.2/24"]],
    [{ env: { GATEWAY: "10.10.0.9" } }, own],
    [{ env, args: ["10.20.0.1/24"] }, ["10.20.0.1/24"]],
    [{ args: ["10.20.0.1/24"], ips: ["10.30.0.1/24", "fd00::1/64"] }, ["10.30.0.1/24", "fd00::1/64"]],
  ];
  for (const [options, expected] of cases) assert.deepEqual(addresses({ ipam: IPAM, ...options }), expected);
  assert.deepEqual(addresses({ ipam: {} }), []);
});

test("refuses what is no address with prefix length", () => {
  const cases: [Options, number, string][] = [
    [{ ipam: null }, 7, "IPAM config missing 'ipam' key"],
    [
      { ipam: { addresses: [{ address: "10.10.0.1" }] } },
      7,
      "the 'address' field is expected to be in CIDR notation, got: '10.10.0.1'",
    ],
    [{ env: { IP: "10.10.0.1" } }, 4, "the 'ip' field is expected to be in CIDR notation, got: '10.10.0.1'"],
    [{ env: { IP: "10.10.0.1/24,x" } }, 4, "the 'ip' field is expected to be in CIDR notation, got: 'x'"],
    [{ env: { GATEWAY: "10.10.0.1/24" } }, 4, "invalid gateway address: 10.10.0.1/24"],
    [{ args: ["10.10.0.1"] }, 7, "an entry in the 'ips' field is NOT in CIDR notation, got: '10.10.0.1'"],
    [
      { ips: ["10.10.0.1/33"] },
      7,
      "an entry in the 'ips' field is NOT in CIDR notation, got: '10.10.0.1/33'",
    ],
    [
      { ips: ["10.10.0.1/24", "10.10.0.2/24"], cniVersion: "0.2.0" },
      7,
      "CNI version 0.2.0 does not support more than 1 address per family",
    ],
  ];
  for (const [options, code, message] of cases) assert.throws(() => run(options), { code, message });
});

test("CHECK compares with the result of ADD", () => {
  const prevResult = run({ ipam: IPAM });
  const [first, second] = prevResult.ips!;
  check(request({ ipam: IPAM, prevResult }));
  check(request({ ipam: { addresses: [{ address: "10.10.0.1/24" }] }, prevResult }));
  assert.throws(() => check(request({ ipam: IPAM })), { message: "Required prevResult missing" });
  for (const ips of [
    [first!],
    [first!, { ...second!, gateway: first!.gateway! }],
    [first!, { address: second!.address }],
  ])
    assert.throws(() => check(request({ ipam: IPAM, prevResult: { ips } })), {
      code: 100,
      message: "static: Failed to match addr 3ffe:ffff:0:1ff::1 on interface eth0",
    });
});

test("STATUS finds a wrong configuration", () => {
  status(request({ ipam: IPAM }));
  assert.throws(() => status(request({ ipam: { addresses: [{ address: "x" }] } })), { code: 7 });
});
