import assert from "node:assert/strict";
import { test } from "node:test";
import { V4Link } from "../dhcp/v4-link.ts";
import { programs } from "../dhcp/v6-link.ts";

/** DHCPv4 for an ipvlan, which not every kernel has: run by test/vm-run. */

test(
  "ipvlan: a lease is got by broadcast, renewed by unicast, and released",
  programs("dnsmasq"),
  async (t) => {
    const link = new V4Link(t, "ipvlan");
    await link.dnsmasq("10.9.0.10,10.9.0.19");
    link.start();
    const got = ["DISCOVER to 255.255.255.255 by broadcast", "REQUEST to 255.255.255.255 by broadcast"];
    assert.deepEqual(link.expect(/^bound 10\.9\.0\.1\d\/24$/), got);
    link.goOn({ renewAt: 0 });
    assert.deepEqual(link.expect(/^bound/), ["REQUEST to 10.9.0.1 by unicast"]);
    link.release();
    assert.deepEqual(link.logged, []);
  },
);
