import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MacAddress, parseMac } from "./mac.ts";

test("MAC addresses are read in three notations and written with colons in lower case", () => {
  const rows: [text: string, written: string][] = [
    ["00:00:5e:00:53:01", "00:00:5e:00:53:01"],
    ["00:00:5E:00:53:01", "00:00:5e:00:53:01"],
    ["00-00-5e-00-53-01", "00:00:5e:00:53:01"],
    ["0000.5e00.5301", "00:00:5e:00:53:01"],
    ["02:00:5e:10:00:00:00:01", "02:00:5e:10:00:00:00:01"],
    ["0200.5e10.0000.0001", "02:00:5e:10:00:00:00:01"],
    [
      "00:00:00:00:fe:80:00:00:00:00:00:00:02:00:5e:10:00:00:00:01",
      "00:00:00:00:fe:80:00:00:00:00:00:00:02:00:5e:10:00:00:00:01",
    ],
  ];
  for (const [text, written] of rows) assert.equal(parseMac(text)?.toString(), written, text);
});

test("what is no MAC address is refused", () => {
  const texts = [
    ...[
      "",
      "00",
      "00:00:5e:00:53",
      "00:00:5e:00:53:01:02",
      "00:00:5e:00:53:1",
      "00:00:5e:00:53:001",
      "00:00:5e:00:53:0g",
    ],
    ...[
      "00:00:5e-00-53-01",
      "00005e005301",
      "0000.5e00",
      "0000.5e00.53",
      "0000:5e00:5301",
      " 00:00:5e:00:53:01",
      "00:00:5e:00:53:01\n",
    ],
  ];
  for (const text of texts) assert.equal(parseMac(text), undefined, JSON.stringify(text));
});

test("reading what was written gives the same MAC address", () => {
  const bytes = fc
    .constantFrom(6, 8, 20)
    .chain((length) => fc.uint8Array({ minLength: length, maxLength: length }));
  fc.assert(
    fc.property(bytes, (value) => parseMac(new MacAddress(value).toString())!.equals(new MacAddress(value))),
  );
});

test("equal MAC addresses have equal bytes", () => {
  const mac = parseMac("00:00:5e:00:53:01")!;
  assert.ok(mac.equals(parseMac("0000.5E00.5301")!));
  assert.ok(!mac.equals(parseMac("00:00:5e:00:53:02")!));
  assert.equal(JSON.stringify({ mac }), '{"mac":"00:00:5e:00:53:01"}');
});

test("addresses have the order of their bytes", () => {
  const mac = (text: string) => parseMac(text)!;
  assert.ok(mac("02:00:00:00:00:01").compare(mac("02:00:00:00:00:02")) < 0);
  assert.ok(mac("ff:00:00:00:00:00").compare(mac("02:ff:ff:ff:ff:ff")) > 0);
  assert.equal(mac("02:00:00:00:00:01").compare(mac("02-00-00-00-00-01")), 0);
  assert.ok(mac("02:00:00:00:00:01").compare(mac("02:00:00:00:00:01:00:00")) < 0);
  assert.ok(mac("02:00:00:00:00:01:00:00").compare(mac("02:00:00:00:00:01")) > 0);
});
