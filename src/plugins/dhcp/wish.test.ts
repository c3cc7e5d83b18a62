import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_REQUEST } from "../../dhcp/v4/options.ts";
import { FakeSystem } from "../../host/fake.ts";
import { CniError } from "../../spec/errors.ts";
import type { JsonObject } from "../../spec/json.ts";
import { config } from "./config.ts";
import { wishOf } from "./wish.ts";

const { host } = new FakeSystem();

function wish(
  ipam: JsonObject,
  { args = {}, ...more }: { args?: Record<string, string>; mtu?: number } = {},
) {
  const rawConfig = { ipam: { type: "dhcp", ...ipam }, ...more };
  return wishOf({ host, rawConfig, config: config.parse(rawConfig, "") }, new Map(Object.entries(args)));
}

test("without options: DHCPv4 with the default request", () => {
  assert.deepEqual(wish({}), {
    ipv4: "dhcp",
    ipv6: "none",
    request: DEFAULT_REQUEST,
    provide: [],
    broadcast: false,
    mtu: true,
  });
});

test("families, metric, broadcast and MTU", () => {
  const ipam = { ipv4: "none", ipv6: "auto", priority: 50, broadcast: true };
  const { request: _, provide: __, ...rest } = wish(ipam, { mtu: 1400 });
  assert.deepEqual(rest, { ipv4: "none", ipv6: "auto", priority: 50, broadcast: true, mtu: false });
  assert.equal(wish({ priority: 0 }, { mtu: 0 }).mtu, true);
  assert.equal("priority" in wish({ priority: 0 }), false);
});

const requests: [request: JsonObject[], codes: readonly number[]][] = [
  [[], DEFAULT_REQUEST],
  [[{ option: "ntp-servers" }], [...DEFAULT_REQUEST, 42]],
  [
    [{ option: "routers" }, { skipDefault: false, option: "42" }],
    [...DEFAULT_REQUEST, 42],
  ],
  [[{ skipDefault: true }], []],
  [
    [{ skipDefault: true, option: "" }, { option: "subnet-mask" }, { option: 3 }, { option: "003" }],
    [1, 3],
  ],
  [[{ option: "domain-name-servers" }, { skipDefault: true }], [6]],
  [
    [{ skipDefault: true, option: 1 }, { option: "254" }],
    [1, 254],
  ],
];
test("request: options by name and number, besides the default ones or in their place", () => {
  for (const [request, codes] of requests)
    assert.deepEqual(wish({ request }).request, codes, JSON.stringify(request));
});

const LONG = "x".repeat(255);
const provides: [provide: JsonObject[], values: [number, string][]][] = [
  [[{ option: "host-name", value: "web" }], [[12, "web"]]],
  [[{ option: "12", fromArg: "K8S_POD_NAME" }], [[12, "pod-1"]]],
  [[{ option: 12, value: "web", fromArg: "K8S_POD_NAME" }], [[12, "pod-1"]]],
  [[{ option: "host-name", value: "web", fromArg: "NO_SUCH" }], [[12, "web"]]],
  [[{ option: "host-name", fromArg: "NO_SUCH" }, { option: "user-class" }], []],
  [
    [
      { option: "vendor-class-identifier", value: "a" },
      { option: "dhcp-client-identifier", value: LONG },
      { option: "60", value: "b" },
    ],
    [
      [60, "b"],
      [61, LONG],
    ],
  ],
];
test("provide: values of the configuration and of CNI_ARGS", () => {
  const args = { K8S_POD_NAME: "pod-1" };
  for (const [provide, values] of provides)
    assert.deepEqual(wish({ provide }, { args }).provide, values, JSON.stringify(provide));
});

const wrongs: [ipam: JsonObject, code: number, msg: string, details: string][] = [
  [
    { request: [{ option: "routers" }, { option: "router" }] },
    7,
    'Can not parse option "router"',
    'ipam.request[1].option is the name of an option, such as "host-name", or its number, from 1 to 254.',
  ],
  [{ provide: [{ option: "0", value: "x" }] }, 7, 'Can not parse option "0"', "ipam.provide[0].option is"],
  [{ provide: [{ option: 255, value: "x" }] }, 7, "Can not parse option 255", "ipam.provide[0].option is"],
  [{ provide: [{ value: "x" }] }, 7, 'Can not parse option ""', "ipam.provide[0].option is"],
  [{ provide: [{ option: 1.5 }] }, 7, "Can not parse option 1.5", ""],
  [{ provide: [{ option: -1 }] }, 7, "Can not parse option -1", ""],
  [{ provide: [{ option: true }] }, 7, "Can not parse option true", ""],
  [{ provide: [{ option: ["12"] }] }, 7, 'Can not parse option ["12"]', ""],
  [{ request: [{ option: "toString" }] }, 7, 'Can not parse option "toString"', ""],
  [{ provide: [{ option: 53, value: "x" }] }, 7, "option 53 cannot be provided", "ipam.provide[0].option"],
  [
    { provide: [{ option: "host-name", value: `${LONG}x` }] },
    7,
    `value too long for option "host-name": "${"x".repeat(76)}...`,
    "ipam.provide[0].value has 255 bytes at the most.",
  ],
  // 128 letters of two bytes.
  [
    { provide: [{ option: "host-name", value: "é".repeat(128) }] },
    7,
    'value too long for option "host-name"',
    "",
  ],
  [
    { provide: [{ option: "host-name", fromArg: "LONG" }] },
    4,
    'value too long for option "host-name" from CNI_ARGS "LONG"',
    "ipam.provide[0]",
  ],
  [{ ipv4: "none" }, 7, 'ipam.ipv4 and ipam.ipv6 are both "none"', "No address"],
];
test("what cannot be is refused, with the key and the value", () => {
  for (const [ipam, code, msg, details] of wrongs)
    assert.throws(
      () => wish(ipam, { args: { LONG: `${LONG}x` } }),
      (error) => {
        assert.ok(error instanceof CniError);
        assert.equal(error.code, code);
        assert.ok(error.message.startsWith(msg), error.message);
        assert.ok(error.details.startsWith(details), error.details);
        return true;
      },
    );
});

test("a configuration without ipam is refused", () => {
  assert.throws(() => wishOf({ host, rawConfig: {}, config: {} }, new Map()), /missing 'ipam' key/);
});
