import assert from "node:assert/strict";
import { test } from "node:test";
import type { Dns } from "../../spec/result.ts";
import { parseResolvConf } from "./resolv-conf.ts";

test("reads files like /etc/resolv.conf", () => {
  const cases: [string, Dns][] = [
    ["", {}],
    ["# a comment\n; another\n\nnameserver\n", {}],
    [
      "nameserver 192.0.2.1\nnameserver 2001:db8::1 # not a word of it\n",
      { nameservers: ["192.0.2.1", "2001:db8::1"] },
    ],
    ["domain a.example\n  domain b.example", { domain: "b.example" }],
    ["search a.example\tb.example\nsearch c.example", { search: ["a.example", "b.example", "c.example"] }],
    ["options ndots:2 rotate\r\n", { options: ["ndots:2", "rotate"] }],
    ["sortlist 192.0.2.0\nnameservers 192.0.2.1", {}],
  ];
  for (const [text, dns] of cases) assert.deepEqual(parseResolvConf(text), dns);
});
