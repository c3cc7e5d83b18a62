import { execFileSync, spawnSync } from "node:child_process";
import { basename } from "node:path";
import { type Attacher, compare } from "./attachments.ts";
import { callPlugin } from "./cni.ts";
import type { Figure, Promises } from "./figure.ts";
import type { World } from "./world.ts";

type Plugins = "ours" | "reference";

export interface PluginQuestion {
  readonly type: string;
  /** Unless given, the type. */
  readonly title?: string;
  /** The plugin's own options. `number` keeps the sides apart: the subnet is 10.number.0.0/16, the links end so. */
  readonly options?: (number: number, index: number) => object;
  /** The same for ours alone, where its way to do the work must be named. */
  readonly ours?: object;
  /** A chained plugin: the container has eth0 already, a veth with an address. */
  readonly chained?: boolean;
  /** Makes what must be there once, and for each container. */
  readonly prepare?: (number: number) => void;
  readonly prepareContainer?: (number: number, index: number, netns: string) => void;
  /** Takes away what the reference's DEL leaves to the end of the interface. */
  readonly tidy?: (number: number, index: number, netns: string) => void;
  readonly add?: Promises;
  readonly del?: Promises;
}

/** None of ours shall be slower. */
const NOT_SLOWER: Promises = { faster: 1 };
const FIVE_TIMES: Promises = { faster: 5 };

const ip = (...args: string[]) => execFileSync("ip", args, { stdio: ["ignore", "ignore", "pipe"] });
/** A link of the host to put others on: not every kernel has the type dummy. */
function makeMaster(number: number): void {
  const [name, peer] = [`m${number}`, `m${number}p`];
  ip("link", "add", name, "type", "veth", "peer", "name", peer);
  for (const end of [name, peer]) ip("link", "set", end, "up");
}
const onMaster = (number: number) => ({ master: `m${number}` });
/** Ports of the side's own: host ports are the host's. */
const ports = (number: number, index: number) => {
  const hostPort = 100 * number + index;
  return [
    { hostPort, containerPort: 80, protocol: "tcp" },
    { hostPort, containerPort: 53, protocol: "udp" },
  ];
};
const limits = { ingressRate: 1e7, ingressBurst: 1e6, egressRate: 1e7, egressBurst: 1e6 };

const QUESTIONS: readonly PluginQuestion[] = [
  { type: "loopback" },
  { type: "macvlan", prepare: makeMaster, options: onMaster },
  { type: "ipvlan", prepare: makeMaster, options: onMaster },
  {
    type: "vlan",
    prepare: makeMaster,
    options: (number, index) => ({ ...onMaster(number), vlanId: index + 1 }),
  },
  {
    type: "host-device",
    prepareContainer: (number, index) =>
      ip(..."link add NAME type veth peer name NAMEp".replaceAll("NAME", `d${number}-${index}`).split(" ")),
    options: (number, index) => ({ device: `d${number}-${index}` }),
  },
  { type: "dummy" },
  { type: "tap" },
  {
    type: "portmap",
    title: "portmap, 2 ports",
    chained: true,
    options: (number, index) => ({ runtimeConfig: { portMappings: ports(number, index) } }),
    add: FIVE_TIMES,
    del: FIVE_TIMES,
  },
  {
    type: "portmap",
    title: "portmap by iptables, 2 ports",
    chained: true,
    ours: { backend: "iptables" },
    options: (number, index) => ({ runtimeConfig: { portMappings: ports(number, index) } }),
  },
  {
    type: "bandwidth",
    chained: true,
    options: () => limits,
    tidy: removeQueues,
    add: FIVE_TIMES,
    del: FIVE_TIMES,
  },
  {
    type: "firewall",
    chained: true,
    ours: { backend: "nftables" },
    add: FIVE_TIMES,
    del: FIVE_TIMES,
  },
  {
    type: "firewall",
    title: "firewall by iptables",
    chained: true,
    options: () => ({ backend: "iptables" }),
  },
  {
    type: "tuning",
    chained: true,
    options: () => ({ mtu: 1400, sysctl: { "net.ipv4.conf.IFNAME.arp_notify": "1" } }),
  },
  { type: "sbr", chained: true, tidy: restoreRoutes },
  {
    type: "vrf",
    chained: true,
    options: () => ({ vrfname: "blue" }),
  },
];

/** The types that are asked for. */
export const PLUGIN_QUESTIONS = [...new Set(QUESTIONS.map(({ type }) => type))];

/** What do the other plugins cost, each alone, where 20 containers on average have it? */
export function pluginQuestion(type: string): (world: World) => Figure[] {
  return (world) =>
    QUESTIONS.flatMap((question, index) =>
      question.type === type ? measure(world, question, 150 + 2 * index) : [],
    );
}

function measure(world: World, question: PluginQuestion, number: number): Figure[] {
  const { type, title = type, add = NOT_SLOWER, del = NOT_SLOWER } = question;
  const attachers = [
    attacher(world, "ours", question, number),
    attacher(world, "reference", question, number + 1),
  ];
  return compare(world, `${number}`, { title, add, del }, attachers);
}

/** ADD and DEL of one plugin, by ours or the reference. */
export function attacher(world: World, name: Plugins, question: PluginQuestion, number: number): Attacher {
  const { type, chained, options, ours, prepare, prepareContainer, tidy } = question;
  let prepared = false;
  const config = (index: number, netns: string) => ({
    cniVersion: "1.0.0",
    name: `bench-${number}`,
    type,
    ...options?.(number, index),
    ...(name === "ours" && ours),
    ...(chained ? { prevResult: resultOf(number, index, netns) } : { ipam: ipamOf(world, number) }),
  });
  const call = (command: "ADD" | "DEL", index: number, netns: string) =>
    callPlugin({
      host: world.host,
      path: world[name],
      plugin: type,
      command,
      containerId: `${name}-${index}`,
      netns,
      stdin: world.host.encode(JSON.stringify(config(index, netns))),
    });
  return {
    name,
    prepare(index, netns) {
      if (!prepared) prepare?.(number);
      prepared = true;
      prepareContainer?.(number, index, netns);
      if (chained) attachByHand(number, index, netns);
    },
    attach: (index, netns) => call("ADD", index, netns),
    detach: (index, netns) => call("DEL", index, netns),
    tidy: (index, netns) => tidy?.(number, index, netns),
  };
}

function ipamOf({ scratch }: World, number: number) {
  return { type: "host-local", ranges: [[{ subnet: `10.${number}.0.0/16` }]], dataDir: scratch };
}

const address = (number: number, index: number) => `10.${number}.${index}.2`;
const gateway = (number: number, index: number) => `10.${number}.${index}.1`;
const hostEnd = (number: number, index: number) => `v${number}-${index}`;

/** What the chained plugins work on: a veth pair with addresses at both ends. */
function attachByHand(number: number, index: number, netns: string): void {
  const [outside, name] = [hostEnd(number, index), basename(netns)];
  ip("link", "add", outside, "up", "type", "veth", "peer", "name", "eth0", "netns", name);
  ip("address", "add", `${gateway(number, index)}/24`, "dev", outside);
  ip("-n", name, "link", "set", "eth0", "up");
  configureByHand(number, index, netns);
}

function configureByHand(number: number, index: number, netns: string): void {
  const name = basename(netns);
  ip("-n", name, "address", "add", `${address(number, index)}/24`, "dev", "eth0");
  ip("-n", name, "route", "add", "default", "via", gateway(number, index));
}

function removeQueues(number: number, index: number): void {
  for (const place of ["root", "ingress"])
    spawnSync("tc", ["qdisc", "delete", "dev", hostEnd(number, index), place]);
}

function restoreRoutes(number: number, index: number, netns: string): void {
  // With the addresses go the routes by them, in all tables.
  ip("-n", basename(netns), "address", "flush", "dev", "eth0");
  configureByHand(number, index, netns);
}

function resultOf(number: number, index: number, sandbox: string) {
  return {
    cniVersion: "1.0.0",
    interfaces: [{ name: hostEnd(number, index) }, { name: "eth0", sandbox }],
    ips: [{ address: `${address(number, index)}/24`, gateway: gateway(number, index), interface: 1 }],
    routes: [{ dst: "0.0.0.0/0" }],
  };
}
