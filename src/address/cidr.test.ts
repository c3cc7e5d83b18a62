import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Cidr, everywhere, hostCidr, parseCidr } from "./cidr.ts";
import { Ip, parseIp } from "./ip.ts";

const v4 = fc.tuple(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.integer({ min: 0, max: 32 }));
const v6 = fc
  .tuple(fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.integer({ min: 0, max: 128 }))
  .filter(([bytes]) => bytes.subarray(0, 10).some((byte) => byte !== 0));
const anyCidr = fc.oneof(v4, v6).map(([bytes, length]) => new Cidr(new Ip(bytes), length));

test("networks are read with their host bits, which network drops", () => {
  const rows: [text: string, written: string, network: string, last: string][] = [
    ["10.1.2.3/24", "10.1.2.3/24", "10.1.2.0/24", "10.1.2.255"],
    ["10.1.2.3/0", "10.1.2.3/0", "0.0.0.0/0", "255.255.255.255"],
    ["10.1.2.3/32", "10.1.2.3/32", "10.1.2.3/32", "10.1.2.3"],
    ["10.1.2.3/31", "10.1.2.3/31", "10.1.2.2/31", "10.1.2.3"],
    ["10.1.130.3/17", "10.1.130.3/17", "10.1.128.0/17", "10.1.255.255"],
    ["192.168.255.255/20", "192.168.255.255/20", "192.168.240.0/20", "192.168.255.255"],
    ["2001:DB8::1/64", "2001:db8::1/64", "2001:db8::/64", "2001:db8::ffff:ffff:ffff:ffff"],
    ["fd00::abcd/121", "fd00::abcd/121", "fd00::ab80/121", "fd00::abff"],
    ["::/0", "::/0", "::/0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
    // A mapped address has the length of its IPv6 form.
    ["::ffff:10.1.2.3/120", "10.1.2.3/24", "10.1.2.0/24", "10.1.2.255"],
    ["::ffff:10.1.2.3/96", "10.1.2.3/0", "0.0.0.0/0", "255.255.255.255"],
  ];
  for (const [text, written, network, last] of rows) {
    const cidr = parseCidr(text)!;
    assert.equal(cidr.toString(), written, text);
    assert.equal(cidr.network.toString(), network, text);
    assert.equal(cidr.lastAddress.toString(), last, text);
  }
});

test("what is no network is refused", () => {
  const texts = [
    ...[
      "",
      "/",
      "10.1.2.3",
      "10.1.2.3/",
      "/24",
      "10.1.2.3/33",
      "10.1.2.3/-1",
      "10.1.2.3/+8",
      "10.1.2.3/08",
      "10.1.2.3/24 ",
    ],
    ...[
      "10.1.2/24",
      "010.1.2.3/24",
      "10.1.2.3/24/24",
      "10.1.2.3/255.255.255.0",
      "::/129",
      "::/1e2",
      "::ffff:10.1.2.3/24",
      "::ffff:10.1.2.3/129",
    ],
  ];
  for (const text of texts) assert.equal(parseCidr(text), undefined, JSON.stringify(text));
});

test("reading what was written gives the same network", () => {
  fc.assert(fc.property(anyCidr, (cidr) => parseCidr(cidr.toString())!.equals(cidr)));
});

test("a network contains its first and last address and not their neighbours", () => {
  fc.assert(
    fc.property(anyCidr, (cidr) => {
      assert.ok(cidr.contains(cidr.ip));
      assert.ok(cidr.contains(cidr.networkAddress));
      assert.ok(cidr.contains(cidr.lastAddress));
      if (cidr.prefixLength === 0) return;
      assert.ok(!cidr.contains(cidr.networkAddress.plus(-1)));
      assert.ok(!cidr.contains(cidr.lastAddress.plus(1)));
    }),
  );
});

test("a network has as many addresses as its host bits allow", () => {
  fc.assert(
    fc.property(anyCidr, ({ networkAddress, lastAddress, prefixLength, ip }) => {
      const value = (address: Ip) => address.bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
      const hostBits = BigInt(ip.bytes.length * 8 - prefixLength);
      assert.equal(value(lastAddress) - value(networkAddress) + 1n, 1n << hostBits);
    }),
  );
});

test("a network contains addresses of its own family only", () => {
  assert.ok(!everywhere(4).contains(parseIp("::1")!));
  assert.ok(!everywhere(6).contains(parseIp("10.0.0.1")!));
  assert.ok(everywhere(4).contains(parseIp("::ffff:10.0.0.1")!));
});

test("networks of one address, and of all", () => {
  assert.equal(hostCidr(parseIp("10.1.2.3")!).toString(), "10.1.2.3/32");
  assert.equal(parseCidr("fd00::1/64")!.host.toString(), "fd00::1/128");
  assert.equal(everywhere(4).toString(), "0.0.0.0/0");
  assert.equal(everywhere(6).toString(), "::/0");
});

test("equal networks have equal addresses and lengths", () => {
  const cidr = parseCidr("10.1.2.3/24")!;
  assert.ok(cidr.equals(parseCidr("10.1.2.3/24")!));
  for (const other of ["10.1.2.3/25", "10.1.2.4/24", "::/24"])
    assert.ok(!cidr.equals(parseCidr(other)!), other);
  assert.equal(JSON.stringify([cidr]), '["10.1.2.3/24"]');
});
