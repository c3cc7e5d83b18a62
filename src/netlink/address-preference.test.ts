import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCidr } from "../address/cidr.ts";
import { preferAddress } from "./address-preference.ts";

test("the bytes of a preference", () => {
  const cidr = parseCidr("fd00::3/64")!;
  for (const [preferred, lifetime, what] of [
    [true, "ffffffff", "prefer address fd00::3/64 of eth0"],
    [false, "00000000", "deprecate address fd00::3/64 of eth0"],
  ] as const) {
    const request = preferAddress({ index: 3, name: "eth0" }, cidr, preferred);
    // NLM_F_REPLACE: RTM_NEWADDR of an address that is there.
    assert.deepEqual([request.type, request.flags, request.what], [20, 0x100, what]);
    assert.equal(
      Buffer.from(request.body).toString("hex"),
      `0a40020003000000${"1400"}0100fd000000000000000000000000000003${"1400"}0600${lifetime}ffffffff0000000000000000`,
    );
  }
});
