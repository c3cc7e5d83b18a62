import assert from "node:assert/strict";
import { test } from "node:test";
import type { Dns } from "../spec/result.ts";
import { resolvConf } from "./resolv.ts";

const hostFile =
  "# nameserver 198.51.100.1\nnameserver 198.51.100.2\nsearch host.example\n  nameserver 198.51.100.3\n";
const rows: [what: string, settings: Dns[], file: string | undefined][] = [
  ["no network", [], undefined],
  ["networks without DNS", [{}, { nameservers: [] }], undefined],
  [
    "everything",
    [{ nameservers: ["192.0.2.1"], domain: "d.example", search: ["s.example"], options: ["ndots:2"] }],
    "nameserver 192.0.2.1\nsearch s.example d.example\noptions ndots:2\n",
  ],
  [
    "two networks, nothing twice",
    [
      { nameservers: ["192.0.2.1", "192.0.2.2"], search: ["a"] },
      { nameservers: ["192.0.2.2", "2001:db8::1"], domain: "a" },
    ],
    "nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 2001:db8::1\nsearch a\n",
  ],
  ["no server: the host's stay", [{ search: ["s.example"] }], "nameserver 198.51.100.2\nsearch s.example\n"],
];
for (const [what, settings, file] of rows)
  test(what, () => assert.equal(resolvConf(settings, hostFile), file));
