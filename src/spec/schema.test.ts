import assert from "node:assert/strict";
import { test } from "node:test";
import {
  anything,
  array,
  boolean,
  cidr,
  dictionary,
  integer,
  ip,
  mac,
  object,
  oneOf,
  optional,
  type Schema,
  string,
} from "./schema.ts";

const ipam = object({
  type: string(),
  ranges: optional(array(object({ subnet: cidr(), gateway: optional(ip()) })), []),
});
const config = object({
  bridge: optional(string(), "cni0"),
  mtu: optional(integer(0, 65535)),
  vlan: optional(integer(0)),
  mode: optional(oneOf("l2", "l3"), "l2"),
  mac: optional(mac()),
  ipMasq: optional(boolean(), false),
  ipam: optional(ipam),
  sysctl: optional(dictionary(string()), {}),
  args: optional(anything()),
});

/** The value with all addresses as text. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

test("a configuration becomes values, with defaults for what is absent", () => {
  const value = config.parse(
    {
      mtu: 1400,
      mac: "00:00:5E:00:53:01",
      ipam: {
        type: "host-local",
        ranges: [{ subnet: "10.1.2.3/16" }, { subnet: "fd00::/64", gateway: "fd00::1" }],
      },
      sysctl: { "net.ipv4.conf.IFNAME.arp_notify": "1" },
      args: { cni: {} },
      unknown: { kept: false },
    },
    "",
  );
  assert.deepEqual(plain(value), {
    bridge: "cni0",
    mtu: 1400,
    mode: "l2",
    mac: "00:00:5e:00:53:01",
    ipMasq: false,
    ipam: {
      type: "host-local",
      ranges: [{ subnet: "10.1.2.3/16" }, { subnet: "fd00::/64", gateway: "fd00::1" }],
    },
    sysctl: { "net.ipv4.conf.IFNAME.arp_notify": "1" },
    args: { cni: {} },
  });
});

test("absent keys without default are absent, not undefined", () => {
  assert.deepEqual(Object.keys(config.parse({}, "")), ["bridge", "mode", "ipMasq", "sysctl"]);
});

test("null counts as absent", () => {
  const nothing = { bridge: null, mtu: null, mode: null, mac: null, ipMasq: null, ipam: null, sysctl: null };
  assert.deepEqual(config.parse(nothing, ""), config.parse({}, ""));
});

test("an empty text counts as absent where an address or one of a few words is due, not elsewhere", () => {
  assert.deepEqual(config.parse({ mode: "", mac: "" }, ""), config.parse({}, ""));
  assert.equal(config.parse({ bridge: "" }, "").bridge, "");
  assert.equal(optional(oneOf("", "x"), "x").parse("", ""), "");
});

test("keys match in any case, the exact one first; keys of dictionaries keep theirs", () => {
  assert.equal(config.parse({ MTU: 9 }, "").mtu, 9);
  assert.equal(config.parse({ IPMasq: true }, "").ipMasq, true);
  assert.equal(config.parse({ MTU: 9, mtu: 10 }, "").mtu, 10);
  assert.deepEqual(config.parse({ Sysctl: { B: "1" } }, "").sysctl, { B: "1" });
});

test("names of JavaScript's own in data are data", () => {
  const value = JSON.parse('{"sysctl":{"__proto__":"1","toString":"2"}}');
  assert.deepEqual(Object.entries(config.parse(value, "").sysctl), [
    ["__proto__", "1"],
    ["toString", "2"],
  ]);
});

test("a wrong value is named with its key, what was expected and what was found", () => {
  const rows: [value: unknown, message: string][] = [
    [5, "expected an object, got 5"],
    [[], "expected an object, got []"],
    [{ bridge: 5 }, "bridge: expected a string, got 5"],
    [{ mtu: "1400" }, 'mtu: expected a whole number from 0 up to 65535, got "1400"'],
    [{ mtu: 1.5 }, "mtu: expected a whole number from 0 up to 65535, got 1.5"],
    [{ MTU: 70000 }, "mtu: expected a whole number from 0 up to 65535, got 70000"],
    [{ vlan: -1 }, "vlan: expected a whole number from 0, got -1"],
    [{ mode: "l4" }, 'mode: expected one of "l2", "l3", got "l4"'],
    [{ mac: "00:00" }, 'mac: expected a MAC address such as 00:00:5e:00:53:01, got "00:00"'],
    [{ ipMasq: "true" }, 'ipMasq: expected true or false, got "true"'],
    [{ ipam: {} }, "ipam.type: expected a string, got nothing"],
    [{ ipam: { type: "x", ranges: {} } }, "ipam.ranges: expected a list, got {}"],
    [
      { ipam: { type: "x", ranges: [{ subnet: 5 }] } },
      "ipam.ranges[0].subnet: expected a network such as 10.1.0.0/16, got 5",
    ],
    [
      { ipam: { type: "x", ranges: [{ subnet: "fd00::/8", gateway: "fd00::1/8" }] } },
      'ipam.ranges[0].gateway: expected an IP address such as 10.1.0.1, got "fd00::1/8"',
    ],
    [{ sysctl: { a: 1 } }, "sysctl.a: expected a string, got 1"],
    [{ sysctl: ["a"] }, 'sysctl: expected an object, got ["a"]'],
  ];
  for (const [value, message] of rows)
    assert.throws(() => config.parse(value, ""), { code: 7, message: `invalid configuration: ${message}` });
});

test("a long wrong value is cut", () => {
  assert.throws(
    () => config.parse({ mtu: "x".repeat(1000) }, ""),
    ({ message }: Error) => message.length < 200,
  );
});

test("a pattern says in words what it wants", () => {
  const id: Schema<string> = string({ pattern: /^[a-z]+$/, expected: "small letters" });
  assert.equal(id.parse("abc", "id"), "abc");
  assert.throws(() => id.parse("ABC", "id"), {
    message: 'invalid configuration: id: expected small letters, got "ABC"',
  });
});
