// What must be on the host, and what is: lines that begin with what kind of thing they tell of.
//
// What a container of a kind has is seen where one is alone; whatever the implementation, so much must each have later,
// with names, addresses and ports of its own, and nobody has more.
import assert from "node:assert/strict";
import { without } from "../../e2e/mixed.ts";
import type { Json } from "../../e2e/world.ts";
import type { RuntimeHost } from "../runtime-host.ts";
import { general, type Living, particular } from "./living.ts";
import type { Kind } from "./plan.ts";

export interface Difference {
  readonly missing: readonly string[];
  readonly over: readonly string[];
}

const FILES = `
  cd /var/lib/cni/networks 2> /dev/null && for file in */*[.:]*; do
    case $file in */last_reserved_ip.*|'*/*[.:]*') ;; *) echo "reservation $file $(tr '\\r\\n' '  ' < $file)";; esac
  done
  find /var/lib/cni/results -type f -printf 'result %f\\n'
  find /var/lib/cni -type f -not -path '/var/lib/cni/results/*' -not -path '/var/lib/cni/networks/*[.:]*' -printf 'file %p\\n'
  find /var/lib/cni/networks -type f -name '.*' -printf 'file %p\\n'
  find /run/cni -type f -printf 'record %p\\n'
  find /run/netns -type f -printf 'namespace %f\\n'
  find /run /var/tmp -xdev -maxdepth 2 -type f -not -path '/run/soak/*' -not -path '/run/netns/*' -printf 'file %p\\n'`;
const FILTERS = `
  for link in $(tc qdisc show | awk '/^qdisc ingress/ { print $5 }'); do
    tc filter show dev $link parent ffff: | sed -n "s/.*mirred (\\(.*\\)).*/filter $link \\1/p"
  done`;
/** How long what ends by itself may take: what the kernel drops later, a runtime's process that tidies up. */
const SETTLE_MS = 20_000;
const PAUSE_MS = 100;

export class Ledger {
  readonly #host: RuntimeHost;
  #skeleton: readonly string[] = [];
  readonly #templates = new Map<Kind, readonly string[]>();

  constructor(host: RuntimeHost) {
    this.#host = host;
  }

  /** From now on, what is there now must be there always. */
  async begin(): Promise<void> {
    this.#skeleton = await this.#steady();
  }

  /** From now on, what is otherwise by now must be so. */
  accept({ missing, over }: Difference): void {
    this.#skeleton = [...difference(missing, this.#skeleton).over, ...over];
  }

  /** Notes what one container has, which is alone; gives it. */
  async learn(living: Living): Promise<readonly string[]> {
    const { over, missing } = difference(this.#skeleton, [...(await this.#steady()), ...living.inside]);
    assert.deepEqual(missing, [], `the first ${living.life.kind.name} took something away`);
    const template = over.map((line) => general(living, line)).sort();
    hasWhatItMust(living, template);
    this.#templates.set(living.life.kind, template);
    return template;
  }

  /** Compares the host with what it must have for these containers, once nothing changes any more. */
  async audit(all: readonly Living[]): Promise<Difference> {
    const inside = all.flatMap((living) => living.inside.map((line) => `${line} of ${living.life.name}`));
    const wanted = [
      ...this.#skeleton,
      ...all.flatMap((living) =>
        this.#templates
          .get(living.life.kind)!
          .map((line) => particular(living, line))
          .map((line) => (line.startsWith("inside:") ? `${line} of ${living.life.name}` : line)),
      ),
    ];
    let found: Difference;
    const end = Date.now() + SETTLE_MS;
    do {
      found = difference(wanted, [...(await this.#state()), ...inside]);
      if (found.missing.length + found.over.length === 0) break;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    } while (Date.now() < end && !(await this.#stands(found, wanted, inside)));
    return found;
  }

  /** Whether the same is found a second later. */
  async #stands(found: Difference, wanted: readonly string[], inside: readonly string[]): Promise<boolean> {
    await new Promise((resolve) => setTimeout(resolve, 10 * PAUSE_MS));
    const later = difference(wanted, [...(await this.#state()), ...inside]);
    return JSON.stringify(later) === JSON.stringify(found);
  }

  /** The state, once it is twice the same. */
  async #steady(): Promise<string[]> {
    let last = "";
    const end = Date.now() + SETTLE_MS;
    for (;;) {
      const state = await this.#state();
      const text = state.join("\n");
      if (text === last) return state;
      last = text;
      assert.ok(Date.now() < end, "the host does not come to rest");
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }

  async #state(): Promise<string[]> {
    const parts = await Promise.all([
      this.#print(["ip", "-j", "-d", "address", "show"], (text) => JSON.parse(text).flatMap(linkLines)),
      this.#print(["ip", "-j", "route", "show", "table", "all"], (text) =>
        JSON.parse(text).flatMap(routeLines),
      ),
      this.#print(["ip", "-j", "-6", "route", "show", "table", "all"], (text) =>
        JSON.parse(text).flatMap(routeLines),
      ),
      this.#print(["ip", "rule", "show"], (text) => prefixed("policy", text)),
      this.#print(["ip", "-6", "rule", "show"], (text) => prefixed("policy", text)),
      this.#print(["tc", "qdisc", "show"], queueLines),
      this.#print(["sh", "-c", FILTERS], (text) => prefixed("", text)),
      this.#print(["nft", "-j", "list", "ruleset"], (text) => JSON.parse(text).nftables.flatMap(nftLines)),
      this.#print(["iptables-save"], (text) => iptablesLines("ipv4", text)),
      this.#print(["ip6tables-save"], (text) => iptablesLines("ipv6", text)),
      this.#print(["sh", "-c", FILES], (text) => prefixed("", text)),
    ]);
    return parts.flat().sort();
  }

  async #print(command: readonly string[], lines: (text: string) => string[]): Promise<string[]> {
    const { stdout } = await this.#host.run(command);
    return stdout.trim() === "" ? [] : lines(stdout);
  }
}

/** That what is learned is no less than the networks promise: so much any implementation makes. */
function hasWhatItMust({ life, interfaces }: Living, template: readonly string[]): void {
  const { kind } = life;
  const times = (pattern: RegExp) => template.filter((line) => pattern.test(line)).length;
  const addresses = interfaces.flatMap((each) => each.addresses).length;
  const least = (what: string, found: number, wanted: number) =>
    assert.ok(
      found >= wanted,
      `a ${kind.name} has ${found} of ${what}, not ${wanted}: ${template.join("\n")}`,
    );
  assert.equal(addresses, kind.networks.length + (kind.networks.includes("pods") ? 1 : 0));
  least("veth pairs", times(/^link \{eth\d, host\}.* master/), interfaces.length);
  least("reservations", times(/^reservation .*\{eth\d, address \d\} \{container\}/), addresses);
  least("results", times(/^result /), interfaces.length);
  least("rules that masquerade", times(/^rule .*masquerade/i), addresses);
  least("firewall's words about addresses", times(/addresses[46].*address|CNI-FORWARD.*address/), addresses);
  least("ports", times(/^(element|rule) .*\{port\}.*address/), kind.protocols.length * addresses);
  least("limits", times(/^qdisc tbf|^filter|^qdisc ingress|^link bwp/), kind.limited ? 5 : 0);
}

/** As lists in which a line may stand twice. */
export function difference(wanted: readonly string[], found: readonly string[]): Difference {
  return { missing: without(wanted, found), over: without(found, wanted) };
}

/** How many lines there are of each kind of thing. */
export function byKind(lines: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const line of lines) {
    const kind = /^\w+/.exec(line)![0];
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

function prefixed(kind: string, text: string): string[] {
  return text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => `${kind} ${line}`.trim());
}

function linkLines(link: Json): string[] {
  const { ifname, mtu, master = "", ifalias = "", flags, linkinfo = {}, addr_info } = link;
  const hairpin = linkinfo.info_slave_data?.hairpin ?? "";
  const up = flags.includes("UP") ? "up" : "down";
  return [
    `link ${ifname} ${linkinfo.info_kind ?? ""} mtu ${mtu} ${up} master "${master}" hairpin "${hairpin}" alias "${ifalias}"`,
    ...addr_info
      .filter(({ scope }: Json) => scope !== "link")
      .map(({ local, prefixlen }: Json) => `address ${ifname} ${local}/${prefixlen}`),
  ];
}

function routeLines({ dst, gateway = "", dev, table = "main", type = "" }: Json): string[] {
  // Those of link-local addresses and multicast come and go with the carrier.
  return /^(fe80|ff00|multicast)/.test(dst) || type === "anycast"
    ? []
    : [`route ${type} ${dst} ${gateway} ${dev} table ${table}`];
}

/** Not those that every link has. */
function queueLines(text: string): string[] {
  return prefixed("", text)
    .filter((line) => !/^qdisc (noqueue|fq_codel|pfifo_fast|mq) /.test(line))
    .map((line) => line.replace(/ refcnt \d+/, ""));
}

/** The tables of iptables are told by iptables-save. */
function nftLines({ chain, rule, set, map }: Json): string[] {
  const { family, table, name, chain: of, comment = "", expr, elem = [] } = chain ?? rule ?? set ?? map ?? {};
  if (!family || /^(nat|filter|mangle|raw|security)$/.test(table)) return [];
  if (chain) return [`chain ${family} ${table} ${name}`];
  if (rule) {
    const text = JSON.stringify(expr).replaceAll(/"packets":\d+,"bytes":\d+/g, "");
    return [`rule ${family} ${table} ${of} ${comment} ${text}`];
  }
  return [
    `set ${family} ${table} ${name}`,
    ...elem.map((one: Json) => `element ${family} ${table} ${name} ${JSON.stringify(one)}`),
  ];
}

function iptablesLines(family: string, text: string): string[] {
  let table = "";
  return text.split("\n").flatMap((line) => {
    if (line.startsWith("*")) table = line.slice(1);
    if (line.startsWith("-A ")) return [`rule ${family} iptables ${table} ${line}`];
    return /^:\S+ - /.test(line) ? [`chain ${family} iptables ${table} ${line.split(" ")[0]}`] : [];
  });
}
