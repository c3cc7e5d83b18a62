import assert from "node:assert/strict";
import { test } from "node:test";
import { type Cidr, parseCidr } from "../../address/cidr.ts";
import { parseIp } from "../../address/ip.ts";
import { WireError } from "../../netlink/codec.ts";
import type { Route } from "../../spec/result.ts";
import { BytesReader } from "../bytes.ts";
import { classfulRoutes, classlessRoutes, usableRoutes } from "./routes.ts";

const GATEWAY = [192, 0, 2, 1];

/** `10.0.0.0/8 192.0.2.1`; a dash for what is on the link. */
function texts(routes: readonly Route[]): string[] {
  return routes.map(({ dst, gw }) => `${dst} ${gw ?? "-"}`);
}

test("the destinations of RFC 3442's table", () => {
  const rows: [descriptor: number[], dst: string][] = [
    [[0], "0.0.0.0/0"],
    [[8, 10], "10.0.0.0/8"],
    [[24, 10, 0, 0], "10.0.0.0/24"],
    [[16, 10, 17], "10.17.0.0/16"],
    [[24, 10, 27, 129], "10.27.129.0/24"],
    [[25, 10, 229, 0, 128], "10.229.0.128/25"],
    [[32, 10, 198, 122, 47], "10.198.122.47/32"],
    // Bits behind the mask count as 0.
    [[12, 10, 255], "10.240.0.0/12"],
    [[1, 255], "128.0.0.0/1"],
  ];
  const one = (descriptor: number[]) => new BytesReader(Uint8Array.from([...descriptor, ...GATEWAY]));
  for (const [descriptor, dst] of rows)
    assert.deepEqual(texts(classlessRoutes(one(descriptor))), [`${dst} 192.0.2.1`]);
  const all = rows.flatMap(([descriptor]) => [...descriptor, ...GATEWAY]);
  assert.deepEqual(
    texts(classlessRoutes(new BytesReader(Uint8Array.from(all)))),
    rows.map(([, dst]) => `${dst} 192.0.2.1`),
  );
});

test("classless routes that are cut or too long are refused", () => {
  const rows: number[][] = [
    [],
    [0],
    [0, 192, 0, 2],
    [8, ...GATEWAY],
    [24, 10, 0, ...GATEWAY],
    [33, 1, 2, 3, 4, 5, ...GATEWAY],
    [255],
    [8, 10, ...GATEWAY, 16],
  ];
  for (const bytes of rows)
    assert.throws(() => classlessRoutes(new BytesReader(Uint8Array.from(bytes))), WireError, `[${bytes}]`);
});

test("the size of a static route's network is that of its class; a default route is none", () => {
  const pairs = ["10.1.2.3", "172.16.5.0", "192.168.7.9", "0.0.0.0"].flatMap((text) => [
    ...parseIp(text)!.bytes,
    ...GATEWAY,
  ]);
  assert.deepEqual(texts(classfulRoutes(new BytesReader(Uint8Array.from(pairs)))), [
    "10.0.0.0/8 192.0.2.1",
    "172.16.0.0/16 192.0.2.1",
    "192.168.7.0/24 192.0.2.1",
  ]);
  assert.throws(() => classfulRoutes(new BytesReader(Uint8Array.from(pairs.slice(0, -1)))), WireError);
});

test("routes as the kernel takes them", () => {
  const rows: [what: string, own: string, told: string[], usable: string[], log: RegExp | undefined][] = [
    ["in the network", "192.0.2.50/24", ["0.0.0.0/0 192.0.2.1"], ["0.0.0.0/0 192.0.2.1"], undefined],
    [
      "what is on the link comes first",
      "192.0.2.50/24",
      ["0.0.0.0/0 192.0.2.1", "10.9.0.0/16 -"],
      ["10.9.0.0/16 -", "0.0.0.0/0 192.0.2.1"],
      undefined,
    ],
    [
      "a gateway outside of the network is on the link",
      "192.0.2.50/32",
      ["0.0.0.0/0 198.51.100.1", "10.0.0.0/8 198.51.100.1"],
      ["198.51.100.1/32 -", "0.0.0.0/0 198.51.100.1", "10.0.0.0/8 198.51.100.1"],
      undefined,
    ],
    [
      "and may be told to be",
      "192.0.2.50/32",
      ["198.51.100.1/32 -", "0.0.0.0/0 198.51.100.1"],
      ["198.51.100.1/32 -", "0.0.0.0/0 198.51.100.1"],
      undefined,
    ],
    [
      "the first of two to one destination",
      "192.0.2.50/24",
      ["10.0.0.0/8 192.0.2.1", "10.0.0.0/8 192.0.2.2", "10.0.0.0/16 192.0.2.2"],
      ["10.0.0.0/8 192.0.2.1", "10.0.0.0/16 192.0.2.2"],
      undefined,
    ],
    [
      "the own address",
      "192.0.2.50/24",
      ["0.0.0.0/0 192.0.2.50"],
      [],
      /^the route to 0\.0\.0\.0\/0 is left out: 192\.0\.2\.50 is no gateway$/,
    ],
    ["the broadcast address", "192.0.2.50/24", ["0.0.0.0/0 192.0.2.255"], [], /is no gateway$/],
    ["all hosts", "192.0.2.50/24", ["0.0.0.0/0 255.255.255.255"], [], /is no gateway$/],
    ["loopback", "192.0.2.50/24", ["10.0.0.0/8 127.0.0.1"], [], /is no gateway$/],
    ["multicast", "192.0.2.50/24", ["10.0.0.0/8 224.0.0.1"], [], /is no gateway$/],
    [
      "the other end of a /31",
      "192.0.2.50/31",
      ["0.0.0.0/0 192.0.2.51"],
      ["0.0.0.0/0 192.0.2.51"],
      undefined,
    ],
  ];
  const parse = (text: string): Route => {
    const [dst, gw] = text.split(" ");
    return { dst: parseCidr(dst!)!, ...(gw !== "-" && { gw: parseIp(gw!)! }) };
  };
  for (const [what, own, told, usable, expected] of rows) {
    const log: string[] = [];
    const routes = usableRoutes(told.map(parse), parseCidr(own) as Cidr, 7, (text) => log.push(text));
    assert.deepEqual(texts(routes), usable, what);
    assert.equal(log.length, expected ? 1 : 0, what);
    if (expected) assert.match(log[0]!, expected);
    // RT_SCOPE_LINK, without which the gateway of the default route would be taken.
    for (const { gw, scope, priority } of routes)
      assert.deepEqual([scope, priority], [gw ? undefined : 253, 7]);
  }
});
