// All that a plugin may have changed in a host and a container, as lines of text that two worlds have in common.
import type { Container, Json, World } from "./world.ts";

const MAC = /\b[0-9a-f]{2}(:[0-9a-f]{2}){5}\b/g;
/** Routes that the kernel has for addresses and links by itself. */
const BY_ITSELF = /^(local|broadcast|anycast|multicast|fe80|ff00)/;
/** Settings that every namespace makes up. */
const MADE_UP = /stable_secret|\.mc_forwarding/;

type Place = World | Container;

/** The state of both, sorted. A MAC address reads M unless it is one of `macs`. */
export function linesOf(w: World, c: Container, macs: readonly string[] = []): string[] {
  const places: [name: string, place: Place][] = [
    ["host", w],
    ["container", c],
  ];
  const lines = places.flatMap(([name, place]) =>
    [
      ...place.ip("address", "show").flatMap(linkLines),
      ...["-4", "-6"].flatMap((family) => [
        ...routeLines(place, family),
        ...textLines(place, "ip", family, "rule", "show").map((line) => `rule ${line}`),
      ]),
      ...textLines(place, "tc", "qdisc", "show").map((line) => line.replace(/^qdisc (\w+) 0:/, "qdisc $1")),
      ...textLines(place, "sysctl", "-e", "-a", "--pattern", "^net\\.ipv[46]\\.").filter(
        (line) => !MADE_UP.test(line),
      ),
    ].map((line) => `${name}: ${line}`),
  );
  const rules = ["iptables-save", "ip6tables-save"].flatMap((program) =>
    ["nat", "filter"].flatMap((table) =>
      w.iptables(program, table).map((line) => `${program} ${table}: ${line}`),
    ),
  );
  const files = textLines(
    w,
    "find",
    "/run/cni",
    "/var/lib/cni",
    "-type",
    "f",
    "-exec",
    "grep",
    "-H",
    "",
    "{}",
    "+",
  );
  return [...lines, ...rules, ...files.map((line) => `file ${line}`)]
    .map((line) => line.replaceAll(MAC, (mac) => (macs.includes(mac) ? mac : "M")).trim())
    .sort();
}

function textLines(place: Place, ...command: string[]): string[] {
  const { stdout } = "world" in place ? place.exec(...command) : place.exec(command);
  return stdout.split("\n").filter((line) => line.trim() !== "");
}

function linkLines(link: Json): string[] {
  const { ifname, flags, mtu, address, ifalias = "", master = "", linkinfo, txqlen = 0, addr_info } = link;
  const { info_kind = "", info_data = {} } = linkinfo ?? {};
  const data = ["mode", "flags"].map((key) => info_data[key] ?? "").join(" ");
  const { promiscuity, allmulti, group } = link;
  const counted = [mtu, txqlen, promiscuity, allmulti, group].join(" ");
  return [
    `link ${ifname} ${info_kind} ${data} ${flags.filter((flag: string) => !/LOWER_UP|NO-CARRIER|M-DOWN/.test(flag))} ${counted} ${address}`,
    `link ${ifname} alias "${ifalias}" master "${master}"`,
    ...addr_info.flatMap(({ family, local, prefixlen, scope, broadcast = "", dynamic = "" }: Json) =>
      family === "inet6" && scope === "link"
        ? []
        : [`address ${ifname} ${local}/${prefixlen} ${scope} ${broadcast} ${dynamic}`],
    ),
  ];
}

function routeLines(place: Place, family: string): string[] {
  return textLines(place, "ip", family, "route", "show", "table", "all")
    .filter((line) => !BY_ITSELF.test(line))
    .map((line) => `route ${line}`);
}
