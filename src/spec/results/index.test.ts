import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { Cidr } from "../../address/cidr.ts";
import { Ip } from "../../address/ip.ts";
import type { Interface, IpConfig, Result, Route } from "../result.ts";
import { VERSIONS } from "../versions.ts";
import { resultCodec, resultVersion } from "./index.ts";

/** JSON of one version and what it reads in another; the same result in both. */
async function convert(json: unknown, from: string, to: string): Promise<unknown> {
  const result = resultCodec(from).decode(json);
  return JSON.parse(JSON.stringify(resultCodec(to).encode(result)));
}

const full110 = {
  cniVersion: "1.1.0",
  interfaces: [
    { name: "cni0", mac: "00:11:22:33:44:55" },
    {
      name: "veth3243",
      mac: "55:44:33:22:11:11",
      mtu: 1400,
      socketPath: "/run/vhost.sock",
      pciID: "8086:9a01",
    },
    { name: "eth0", mac: "99:88:77:66:55:44", sandbox: "/var/run/netns/blue" },
  ],
  ips: [
    { interface: 2, address: "10.1.0.5/16", gateway: "10.1.0.1" },
    { interface: 2, address: "2001:db8::5/64", gateway: "2001:db8::1" },
  ],
  routes: [
    { dst: "0.0.0.0/0", gw: "10.1.0.1", mtu: 1400, advmss: 1360, priority: 100, table: 0, scope: 0 },
    { dst: "10.9.0.0/16" },
    { dst: "::/0", gw: "2001:db8::1" },
  ],
  dns: { nameservers: ["10.1.0.1"], domain: "example.net", search: ["a.example"], options: ["ndots:2"] },
};

const full100 = {
  ...full110,
  cniVersion: "1.0.0",
  interfaces: [
    { name: "cni0", mac: "00:11:22:33:44:55" },
    { name: "veth3243", mac: "55:44:33:22:11:11" },
    { name: "eth0", mac: "99:88:77:66:55:44", sandbox: "/var/run/netns/blue" },
  ],
  routes: [{ dst: "0.0.0.0/0", gw: "10.1.0.1" }, { dst: "10.9.0.0/16" }, { dst: "::/0", gw: "2001:db8::1" }],
};

const full040 = {
  ...full100,
  cniVersion: "0.4.0",
  ips: [
    { version: "4", interface: 2, address: "10.1.0.5/16", gateway: "10.1.0.1" },
    { version: "6", interface: 2, address: "2001:db8::5/64", gateway: "2001:db8::1" },
  ],
};

const full020 = {
  cniVersion: "0.2.0",
  ip4: {
    ip: "10.1.0.5/16",
    gateway: "10.1.0.1",
    routes: [{ dst: "0.0.0.0/0", gw: "10.1.0.1" }, { dst: "10.9.0.0/16" }],
  },
  ip6: { ip: "2001:db8::5/64", gateway: "2001:db8::1", routes: [{ dst: "::/0", gw: "2001:db8::1" }] },
  dns: full110.dns,
};

test("a result reads in every version as that version has it", async () => {
  const rows: [version: string, json: object][] = [
    ["1.1.0", full110],
    ["1.0.0", full100],
    ["0.4.0", full040],
    ["0.3.1", { ...full040, cniVersion: "0.3.1" }],
    ["0.3.0", { ...full040, cniVersion: "0.3.0" }],
    ["0.2.0", full020],
    ["0.1.0", { ...full020, cniVersion: "0.1.0" }],
  ];
  for (const [version, json] of rows) {
    assert.deepEqual(await convert(full110, "1.1.0", version), json, `1.1.0 to ${version}`);
    assert.deepEqual(await convert(json, version, version), json, `${version} to itself`);
  }
});

test("a result of 0.2.0 in newer versions has its routes merged and no interfaces", async () => {
  const { interfaces: _, ...rest } = full100;
  const ips = [
    { address: "10.1.0.5/16", gateway: "10.1.0.1" },
    { address: "2001:db8::5/64", gateway: "2001:db8::1" },
  ];
  assert.deepEqual(await convert(full020, "0.2.0", "1.0.0"), { ...rest, ips });
  assert.deepEqual(await convert(full020, "0.1.0", "0.3.1"), {
    ...{ ...rest, cniVersion: "0.3.1" },
    ips: [
      { version: "4", ...ips[0] },
      { version: "6", ...ips[1] },
    ],
  });
});

test("an empty result is empty in the versions that can be", async () => {
  for (const empty of [
    {},
    null,
    undefined,
    { dns: {} },
    { ips: null, routes: [], interfaces: null, dns: null },
  ]) {
    for (const cniVersion of ["1.1.0", "1.0.0"])
      assert.deepEqual(await convert(empty, cniVersion, cniVersion), { cniVersion });
    for (const cniVersion of ["0.4.0", "0.3.1", "0.3.0"])
      assert.deepEqual(await convert(empty, cniVersion, cniVersion), { cniVersion, dns: {} });
  }
});

test("members that are empty are left out, an interface's name is not", async () => {
  const json = {
    interfaces: [{ mac: "", mtu: 0, sandbox: "", socketPath: "", pciID: "" }],
    ips: [{ address: "10.1.0.5/16", gateway: "", interface: null }],
    routes: [{ dst: "0.0.0.0/0", gw: null, mtu: 0, advmss: 0, priority: 0, table: null }],
    dns: { nameservers: [], domain: "", search: null },
  };
  assert.deepEqual(await convert(json, "1.1.0", "1.1.0"), {
    cniVersion: "1.1.0",
    interfaces: [{ name: "" }],
    ips: [{ address: "10.1.0.5/16" }],
    routes: [{ dst: "0.0.0.0/0" }],
  });
});

test("keys match in any case", async () => {
  const json = {
    IPs: [{ Address: "10.1.0.5/16" }],
    Interfaces: [{ Name: "eth0", PciID: "1" }],
    DNS: { Domain: "x" },
  };
  assert.deepEqual(await convert(json, "1.1.0", "1.1.0"), {
    cniVersion: "1.1.0",
    interfaces: [{ name: "eth0", pciID: "1" }],
    ips: [{ address: "10.1.0.5/16" }],
    dns: { domain: "x" },
  });
  assert.deepEqual(await convert({ IP4: { IP: "10.1.0.5/16" } }, "0.2.0", "0.2.0"), {
    cniVersion: "0.2.0",
    ip4: { ip: "10.1.0.5/16" },
    dns: {},
  });
});

test("a 1.0.0 result with fields of 1.1.0 is taken with them", async () => {
  assert.deepEqual(await convert({ ...full110, cniVersion: "1.0.0" }, "1.0.0", "1.1.0"), full110);
});

test("0.2.0 wants an address, and only one of a family", async () => {
  const encode = async (ips: string[]) => {
    const result = resultCodec("1.1.0").decode({ ips: ips.map((address) => ({ address })) });
    return resultCodec("0.2.0").encode(result);
  };
  await assert.rejects(encode([]), { code: 7, message: "cannot convert: no valid IP addresses" });
  const message = "CNI version 0.2.0 does not support more than 1 address per family";
  await assert.rejects(encode(["10.1.0.5/16", "10.2.0.5/16"]), { code: 7, message });
  await assert.rejects(encode(["fd00::1/64", "10.2.0.5/16", "fd00::2/64"]), { code: 7, message });
  assert.deepEqual(await encode(["fd00::1/64"]), { cniVersion: "0.2.0", ip6: { ip: "fd00::1/64" }, dns: {} });
});

test("in 0.2.0 routes of a family without an address have no place", async () => {
  const json = { ips: [{ address: "10.1.0.5/16" }], routes: [{ dst: "::/0" }, { dst: "0.0.0.0/0" }] };
  assert.deepEqual(await convert(json, "1.1.0", "0.1.0"), {
    cniVersion: "0.1.0",
    ip4: { ip: "10.1.0.5/16", routes: [{ dst: "0.0.0.0/0" }] },
    dns: {},
  });
});

test("a wrong result is told with code 6 and the key", async () => {
  const rows: [version: string, json: unknown, message: string][] = [
    ["1.1.0", [], "invalid result: expected an object, got []"],
    [
      "1.1.0",
      { ips: [{}] },
      "invalid result.ips[0].address: expected a network such as 10.1.0.0/16, got nothing",
    ],
    [
      "1.0.0",
      { ips: [{ address: "10.1.0.5" }] },
      'invalid result.ips[0].address: expected a network such as 10.1.0.0/16, got "10.1.0.5"',
    ],
    ["0.4.0", { interfaces: "eth0" }, 'invalid result.interfaces: expected a list, got "eth0"'],
    [
      "0.4.0",
      { routes: [{ gw: "10.1.0.1" }] },
      "invalid result.routes[0].dst: expected a network such as 10.1.0.0/16, got nothing",
    ],
    ["0.2.0", { ip4: {} }, "invalid result.ip4.ip: expected a network such as 10.1.0.0/16, got nothing"],
  ];
  for (const [version, json, message] of rows) {
    const codec = resultCodec(version);
    assert.throws(() => codec.decode(json), { code: 6, message });
  }
});

test("an unknown version has no codec", async () => {
  assert.throws(() => resultCodec("9.9.9"), { code: 1, message: "incompatible CNI versions" });
});

test("a result without version is in the configuration's", () => {
  for (const json of [{}, null, { cniVersion: "" }, { cniVersion: null }])
    assert.equal(resultVersion(json, "0.4.0"), "0.4.0");
  assert.equal(resultVersion({ cniVersion: "0.3.1" }, "0.4.0"), "0.3.1");
  assert.equal(resultVersion({ CNIVersion: "0.3.1" }, "0.4.0"), "0.3.1");
});

test("versions from 1.0.0 do not load the older shapes", () => {
  for (const [version, mayLoad] of [
    ["v110", ["v110"]],
    ["v100", ["v100", "v110"]],
    ["v040", ["v040", "v100", "v110"]],
  ] as const)
    assert.deepEqual([...imported(`${version}.ts`)].sort(), [...mayLoad]);
});

/** The shapes that a shape imports, itself included. */
function imported(file: string, found = new Set<string>()): Set<string> {
  found.add(file.replace(".ts", ""));
  const text = readFileSync(new URL(file, import.meta.url), "utf8");
  for (const [, next] of text.matchAll(/from "\.\/(v\d+\.ts)"/g)) imported(next!, found);
  return found;
}

const v4Bytes = fc.uint8Array({ minLength: 4, maxLength: 4 });
const v6Bytes = fc.uint8Array({ minLength: 15, maxLength: 15 }).map((bytes) => Uint8Array.of(0xfd, ...bytes));
const ipOf = (family: 4 | 6) => (family === 4 ? v4Bytes : v6Bytes).map((bytes) => new Ip(bytes));
const cidrOf = (family: 4 | 6) =>
  fc.tuple(ipOf(family), fc.nat(family === 4 ? 32 : 128)).map(([ip, length]) => new Cidr(ip, length));
const text = fc.string({ minLength: 1, maxLength: 8 });
const family = fc.constantFrom<4 | 6>(4, 6);
const partial = { noNullPrototype: true, requiredKeys: [] as [] };
const addressOf = (of: 4 | 6) =>
  fc.record(
    { address: cidrOf(of), gateway: ipOf(of), interface: fc.nat(5) },
    { noNullPrototype: true, requiredKeys: ["address"] },
  );
const routeOf = (of: 4 | 6) =>
  fc.record({ dst: cidrOf(of), gw: ipOf(of) }, { noNullPrototype: true, requiredKeys: ["dst"] });
const texts = fc.array(text, { minLength: 1, maxLength: 3 });
const dns = fc
  .record({ nameservers: texts, domain: text, search: texts, options: texts }, partial)
  .filter((value) => Object.keys(value).length > 0);
const interfaces100: fc.Arbitrary<Interface> = fc.record(
  { name: text, mac: text, sandbox: text },
  { noNullPrototype: true, requiredKeys: ["name"] },
);
const interfaces110: fc.Arbitrary<Interface> = fc.record(
  { name: text, mac: text, mtu: fc.integer({ min: 1 }), sandbox: text, socketPath: text, pciID: text },
  { noNullPrototype: true, requiredKeys: ["name"] },
);
const count = fc.integer({ min: 1 });
const routes110: fc.Arbitrary<Route> = family.chain((of) =>
  fc.record(
    {
      dst: cidrOf(of),
      gw: ipOf(of),
      mtu: count,
      advmss: count,
      priority: count,
      table: fc.nat(),
      scope: fc.nat(255),
    },
    { noNullPrototype: true, requiredKeys: ["dst"] },
  ),
);

function results(parts: {
  interfaces?: fc.Arbitrary<Interface>;
  ips: fc.Arbitrary<IpConfig>;
  routes: fc.Arbitrary<Route>;
}) {
  const some = <T>(of: fc.Arbitrary<T>) => fc.array(of, { minLength: 1, maxLength: 4 });
  const { interfaces, ips, routes } = parts;
  return fc.record(
    { ...(interfaces && { interfaces: some(interfaces) }), ips: some(ips), routes: some(routes), dns },
    partial,
  );
}

async function assertRoundTrip(version: string, results: fc.Arbitrary<Result>): Promise<void> {
  const codec = resultCodec(version);
  fc.assert(
    fc.property(results, (result) => {
      const json = JSON.parse(JSON.stringify(codec.encode(result)));
      assert.deepEqual(codec.decode(json), result);
    }),
  );
}

test("writing and reading gives the same result, for all that a version can express", async () => {
  const ips = family.chain(addressOf);
  await assertRoundTrip("1.1.0", results({ interfaces: interfaces110, ips, routes: routes110 }));
  const results100 = results({ interfaces: interfaces100, ips, routes: family.chain(routeOf) });
  await assertRoundTrip("1.0.0", results100);
  // Before 1.0.0 there is always a dns.
  const results040 = results100.map((result) => ({ dns: {}, ...result }));
  for (const version of ["0.4.0", "0.3.1", "0.3.0"]) await assertRoundTrip(version, results040);
  const plainAddress = (of: 4 | 6) =>
    fc.record(
      { address: cidrOf(of), gateway: ipOf(of) },
      { noNullPrototype: true, requiredKeys: ["address"] },
    );
  const results020 = fc.record(
    {
      ips: fc.tuple(plainAddress(4), plainAddress(6)),
      routes: fc.tuple(routeOf(4), routeOf(4), routeOf(6)),
      dns: fc.oneof(dns, fc.constant({})),
    },
    { noNullPrototype: true },
  );
  for (const version of ["0.2.0", "0.1.0"]) await assertRoundTrip(version, results020);
});

test("a result can be converted from every version to every other", async () => {
  const address = { ip4: { ip: "10.1.0.5/16" }, ips: [{ address: "10.1.0.5/16" }] };
  for (const from of VERSIONS) {
    for (const to of VERSIONS) {
      const json = JSON.stringify(await convert(address, from, to));
      assert.match(json, new RegExp(`^{"cniVersion":"${to}",.*"10.1.0.5/16"`), `${from} to ${to}`);
    }
  }
});
