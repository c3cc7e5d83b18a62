/** Port forwarding by iptables. What that consists of is in iptables-layout.ts. */
import { check, type Host, LOCK_EX, O_RDONLY } from "../../host/host.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import { allOrNothing } from "../all-or-nothing.ts";
import { mayHaveNatChain } from "../iptables/nft.ts";
import { natTransaction, restoreIptables, saveIptables } from "../iptables/programs.ts";
import {
  type Entry,
  HOSTPORTS,
  hostPortsChain,
  keyOf,
  readEntries,
  readPortRules,
} from "./iptables-layout.ts";
import { removeIptablesForwards } from "./iptables-remove.ts";
import { conditionsOf, type WantedRules, wantedRules } from "./iptables-rules.ts";
import { describePort, type FamilyForwards, forwardsByFamily, type PortForwardWish } from "./wish.ts";

const LOCK_TIMEOUT_MS = 60_000;

/**
 * Forwards the ports by one run of iptables-restore for each family. What is there already stays, but that the ports
 * lead elsewhere. All or nothing. Code 100 if another container has one of the ports.
 */
export function forwardPortsByIptables(wish: PortForwardWish): void {
  const { netns, addresses } = wish;
  const families = forwardsByFamily(wish).filter(({ mappings }) => mappings.length > 0);
  const remove = () => removeIptablesForwards(netns, wish, addresses);
  withLock(netns.host, () =>
    allOrNothing(() => {
      for (const forwards of families) forwardPorts(wish, forwards);
    }, remove),
  );
}

function forwardPorts(wish: PortForwardWish, forwards: FamilyForwards): void {
  const { host } = wish.netns;
  const { family } = forwards;
  const wanted = wantedRules(wish, forwards);
  const isFirst = !mayHaveNatChain(wish.netns, family, HOSTPORTS);
  const present = isFirst ? [] : saveIptables(host, family, "nat");
  refuseTaken(wish, forwards, present);
  restoreIptables(host, family, natTransaction(changes(wanted, forwards, present)));
}

/** What makes of the rules that are there the wanted ones. */
function changes(wanted: WantedRules, { mappings }: FamilyForwards, present: readonly string[]): string[] {
  const { chain, commonChains, common } = wanted;
  const keys = new Set(mappings.map(keyOf));
  const own = readPortRules(present, `${chain} `);
  // Another interface of the container, on the same network.
  const others = own.filter(({ key }) => !keys.has(key));
  const ports = new Set(others.map(({ port }) => port));
  const entries = readEntries(present.filter((line) => line.endsWith(` -j ${chain}`)));
  const wantedEntries = [...wanted.addressEntries, ...wanted.entries];
  const isKept = ({ line, ports: of }: Entry) =>
    wantedEntries.includes(line) || of.some((port) => ports.has(port));
  const dropped = entries.filter((entry) => !isKept(entry)).map(({ line }) => line);
  const isDeclared = (name: string) => present.some((line) => line.startsWith(`:${name} `));
  const isAbsent = (line: string) => !present.includes(line);
  return [
    ...commonChains.filter((name) => !isDeclared(name)).map(declaration),
    // To declare a chain that is there flushes it.
    ...(others.length === 0 ? [declaration(chain)] : []),
    ...dropped.map(deletion),
    ...(others.length === 0 ? [] : own.filter(({ key }) => keys.has(key)).map(({ line }) => deletion(line))),
    ...wanted.ports,
    // Before what others masquerade.
    ...common.filter(isAbsent).map((line) => line.replace("-A POSTROUTING", "-I POSTROUTING")),
    ...wanted.addressEntries.filter(isAbsent).map((line) => line.replace("-A", "-I")),
    ...wanted.entries.filter(isAbsent),
  ];
}

function declaration(chain: string): string {
  return `:${chain} - [0:0]`;
}

function deletion(line: string): string {
  return line.replace("-A", "-D");
}

/**
 * Code 100 if one of the ports leads to another container, unless conditions tell who gets what. The same container may
 * have it on several networks: the first one's rules come first.
 */
export function refuseTaken(
  wish: PortForwardWish,
  { family, mappings }: FamilyForwards,
  present: readonly string[],
): void {
  if (conditionsOf(wish, family).length > 0) return;
  const own = hostPortsChain(wish.netns.host, wish);
  for (const mapping of mappings) {
    // There may be thousands of other rules.
    const candidates = present.filter((line) => line.includes(` --dport ${mapping.hostPort} -j DNAT `));
    const taken = readPortRules(candidates).filter(({ key }) => key === keyOf(mapping));
    const leading = present.filter((line) =>
      taken.some(({ chain }) => chain !== own && line.endsWith(` -j ${chain}`)),
    );
    const holder = readEntries(leading).find(
      ({ unconditional, comment, ports }) =>
        unconditional && ports.includes(taken[0]!.port) && !comment.endsWith(` id: "${wish.containerId}"`),
    );
    if (holder)
      throw new CniError(
        ErrorCode.Plugin,
        `host port ${describePort(mapping)} is already in use by ${describeHolder(holder)}`,
        `Choose another host port, or run DEL for the one that has it: chain ${holder.chain} of iptables. If that is gone, GC of its network removes what it left.`,
      );
  }
}

function describeHolder({ comment }: Entry): string {
  const named = /^dnat name: "(.*)" id: "(.*)"$/.exec(comment);
  return named ? `container ${named[2]} (network ${named[1]})` : comment;
}

/** One process at a time in this network namespace, whose inode is the lock. */
function withLock(host: Host, work: () => void): void {
  const path = "/proc/self/ns/net";
  const fd = host.open(path, O_RDONLY);
  try {
    check("flock", host.sys.flock(fd, LOCK_EX, LOCK_TIMEOUT_MS), path);
    work();
  } finally {
    host.close(fd);
  }
}
