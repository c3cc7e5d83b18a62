// A container that lives, as its runtime and its own namespace show it.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { Json } from "../../e2e/world.ts";
import type { RuntimeHost } from "../runtime-host.ts";
import type { Told } from "./engine.ts";
import type { Network } from "./networks.ts";
import { fixture, type Life } from "./plan.ts";

export interface Interface {
  readonly name: string;
  readonly network: Network;
  /** Without prefix length, IPv4 first. */
  readonly addresses: readonly string[];
  /** The name of its other end, on the host. */
  readonly hostEnd: string;
}

export interface Living {
  readonly life: Life;
  readonly id: string;
  readonly interfaces: readonly Interface[];
  /** What its namespace has: lines. */
  readonly inside: readonly string[];
  /** What of it all is its own: the text, and the name by which it is the same in all containers of the kind. */
  readonly own: readonly (readonly [text: string, name: string])[];
}

const LOOK = `for what in address "-4 route" "-6 route"; do nsenter --net=$1 ip -j $what show | grep . || echo []; done
  ip -j link show`;

/** Reads the container's namespace. Fails where it is not as the runtime tells. */
export async function look(host: RuntimeHost, life: Life, told: Told): Promise<Living> {
  const { code, stdout, stderr } = await host.run(["sh", "-ec", LOOK, "sh", told.netns]);
  assert.equal(code, 0, `${life.name}: ${stderr}`);
  const [links, routes, routes6, hostLinks] = stdout
    .trim()
    .split("\n")
    .map((line): Json[] => JSON.parse(line)) as [Json[], Json[], Json[], Json[]];
  const interfaces = life.kind.networks.map((network, place): Interface => {
    const name = `eth${place}`;
    const link = links.find(({ ifname }) => ifname === name);
    assert.ok(link, `${life.name} has no ${name}`);
    return {
      name,
      network,
      addresses: globalOf(link).map(({ local }) => local),
      hostEnd: hostLinks.find(({ ifindex }) => ifindex === link.link_index)?.ifname,
    };
  });
  const all = interfaces.flatMap(({ addresses }) => addresses);
  for (const address of told.addresses)
    assert.ok(all.includes(address), `${life.name} has ${all}, and its runtime tells of ${told.addresses}`);
  const { ip, mac } = fixture(life);
  if (life.kind.fixed)
    assert.deepEqual([all, links.find(({ ifname }) => ifname === "eth0").address], [[ip], mac]);
  return {
    life,
    id: told.id,
    interfaces,
    inside: [...links.flatMap(linkLines), ...[...routes, ...routes6].filter(isGiven).map(routeLine)],
    own: ownOf(life, told, interfaces),
  };
}

function globalOf(link: Json): Json[] {
  return link.addr_info.filter(({ scope }: Json) => scope === "global");
}

function linkLines(link: Json): string[] {
  const { ifname, mtu, flags } = link;
  return [
    `inside: link ${ifname} mtu ${mtu} ${flags.includes("UP") ? "up" : "down"}`,
    ...globalOf(link).map(({ local, prefixlen }) => `inside: address ${ifname} ${local}/${prefixlen}`),
  ];
}

/** Not by IPv6 to itself. */
function isGiven({ dst }: Json): boolean {
  return !/^(fe80|ff00|multicast)/.test(dst);
}

function routeLine({ dst, gateway = "", dev }: Json): string {
  return `inside: route ${dst} ${gateway} ${dev}`;
}

/** Names that the plugins make of network, container and interface are hashes: docs/plugins. */
function ownOf(life: Life, told: Told, interfaces: readonly Interface[]): Living["own"] {
  const { hostPort, name, kind } = life;
  const own: [string, string][] = [
    [told.id, "{container}"],
    [told.netns.replace(/.*\//, ""), "{namespace}"],
    [name, "{name}"],
    [String(hostPort), "{port}"],
  ];
  if (kind.fixed) own.push([fixture(life).mac, "{mac}"]);
  for (const { name: ifName, network, addresses, hostEnd } of interfaces) {
    const pair = sha512(network + told.id);
    own.push(
      [hostEnd, `{${ifName}, host}`],
      [sha512(`${ifName}:${told.id}`).slice(0, 16), `{${ifName}, owner}`],
    );
    for (const length of [24, 21, 12]) own.push([pair.slice(0, length), `{${ifName}, ${length}}`]);
    for (const [place, address] of addresses.entries()) own.push([address, `{${ifName}, address ${place}}`]);
  }
  return own.sort(([a], [b]) => b.length - a.length);
}

function sha512(text: string): string {
  return createHash("sha512").update(text).digest("hex");
}

/** A line with the names for what is its own. */
export function general({ own }: Living, line: string): string {
  return own.reduce((text, [one, name]) => text.replaceAll(alone(one), name), line);
}

/** The opposite. */
export function particular({ own }: Living, line: string): string {
  return own.reduce((text, [one, name]) => text.replaceAll(name, one), line);
}

/** Where it is no part of a longer number or address. */
function alone(text: string): RegExp {
  const word = text.replaceAll(".", "\\.");
  if (/^[0-9a-f]{12,}$/.test(text)) return new RegExp(word, "g");
  return new RegExp(`(?<![\\w.:])${word}(?![\\w${text.includes(":") ? ":" : "."}])`, "g");
}
