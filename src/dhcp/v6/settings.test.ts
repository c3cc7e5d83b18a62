import assert from "node:assert/strict";
import { it } from "node:test";
import { parseCidr } from "../../address/cidr.ts";
import { parseIp } from "../../address/ip.ts";
import type { Fact } from "../ra/facts.ts";
import { settingsJson } from "../settings.ts";
import { mergedSettings, type Parts } from "./settings.ts";

/** `kind value [router [preference]]`, several with semicolons between. */
function factsOf(text: string): Fact[] {
  return text.split(/; /).flatMap((line) => {
    const [kind, value = "", router = "1", preference = "0"] = line.split(" ");
    const until = Number.POSITIVE_INFINITY;
    if (!kind) return [];
    return [
      { kind: kind as Fact["kind"], value, router: `fe80::${router}`, preference: Number(preference), until },
    ];
  });
}

const made = (text: string, deprecated = false) => ({
  ...{ ip: parseIp(text)!, until: Number.POSITIVE_INFINITY, deprecated },
});
const leased = (text: string): Parts["leased"] => ({ ips: [{ address: parseCidr(text)! }] });
const ON_LINK = "on-link fd00:1::/64";

const table: [what: string, facts: string, parts: Partial<Parts>, settings: object][] = [
  ["nothing is said", "", {}, {}],
  [
    "an address is in a prefix on the link",
    `${ON_LINK}; route ::/0`,
    { autonomous: [made("fd00:1::9")] },
    { ips: ["fd00:1::9/64 fe80::1"], routes: ["::/0 fe80::1"] },
  ],
  [
    "an address is in no prefix on the link",
    "route ::/0",
    { autonomous: [made("fd00:1::9")] },
    { ips: ["fd00:1::9/128 fe80::1"], routes: ["::/0 fe80::1"] },
  ],
  [
    "no router is a default router",
    `${ON_LINK}; route fd00::/16`,
    { autonomous: [made("fd00:1::9")] },
    { ips: ["fd00:1::9/64"], routes: ["fd00::/16 fe80::1"] },
  ],
  [
    "DHCPv6 gives an address in a prefix on the link",
    `on-link fd00::/16; ${ON_LINK}`,
    { leased: leased("fd00:1::9/128") },
    { ips: ["fd00:1::9/64"], routes: ["fd00::/16 253"] },
  ],
  [
    "DHCPv6 gives an address outside",
    "on-link fd00:2::/64",
    { leased: leased("fd00:1::9/128") },
    { ips: ["fd00:1::9/128"], routes: ["fd00:2::/64 253"] },
  ],
  [
    "DHCPv6 gives the address that was made by itself, and another one",
    ON_LINK,
    {
      autonomous: [made("fd00:1::9")],
      leased: { ips: [...leased("fd00:1::9/128")!.ips!, ...leased("fd00:1::a/128")!.ips!] },
    },
    { ips: ["fd00:1::9/64", "fd00:1::a/64"] },
  ],
  [
    "an address is not preferred any more",
    ON_LINK,
    { autonomous: [made("fd00:1::9", true), made("fd00:2::9")] },
    { ips: ["fd00:1::9/64", "fd00:2::9/128"], deprecated: ["fd00:1::9"] },
  ],
  [
    "there are routes without a gateway: an address names none",
    `on-link fd00:2::/64; ${ON_LINK}; route ::/0`,
    { autonomous: [made("fd00:1::9")] },
    { ips: ["fd00:1::9/64"], routes: ["fd00:2::/64 253", "::/0 fe80::1"] },
  ],
  [
    "several routers are there",
    "route ::/0 1; route ::/0 2 1; route ::/0 3 1; route fd00:7::/64 3 -1; route fd00:7::/64 2",
    {},
    { routes: ["::/0 fe80::2", "fd00:7::/64 fe80::2"] },
  ],
  [
    "routes are to have a metric",
    "on-link fd00:2::/64; route ::/0",
    { priority: 0 },
    { routes: ["fd00:2::/64 253 0", "::/0 fe80::1 0"] },
  ],
  [
    "DNS comes from both",
    "nameserver fd00::53 1; nameserver fe80::53; nameserver fd00::53 2; domain lab.example; domain corp.example",
    { leased: { dns: { nameservers: ["fd00::54", "fd00::53"], search: ["corp.example"] } } },
    {
      dns: {
        nameservers: ["fd00::54", "fd00::53", "fe80::53%eth0"],
        search: ["corp.example", "lab.example"],
      },
    },
  ],
  [
    "more nameservers are told than anybody asks",
    Array.from({ length: 12 }, (_, index) => `nameserver fd00::${index + 1}`).join("; "),
    {},
    { dns: { nameservers: [1, 2, 3, 4, 5, 6, 7, 8].map((index) => `fd00::${index}`) } },
  ],
  ["the MTU is told", "mtu 1400; mtu 1300 2; mtu 9000 3", { mtuLimit: 1500 }, { mtu: 1300 }],
  ["the MTU is more than the link's", "mtu 1501", { mtuLimit: 1500 }, {}],
  ["the MTU is not wished for", "mtu 1400", {}, {}],
];
for (const [what, facts, parts, wanted] of table)
  it(`settings where ${what}`, () => {
    const settings = mergedSettings({ facts: factsOf(facts), autonomous: [], ifName: "eth0", ...parts });
    const { ips, routes } = settings;
    const words = (...values: unknown[]) => values.filter((value) => value !== undefined).join(" ");
    assert.deepEqual(
      {
        ...settingsJson(settings),
        ...(ips?.length && { ips: ips.map(({ address, gateway }) => words(address, gateway)) }),
        ...(routes?.length && {
          routes: routes.map(({ dst, gw, scope, priority }) => words(dst, gw, scope, priority)),
        }),
      },
      wanted,
    );
  });
