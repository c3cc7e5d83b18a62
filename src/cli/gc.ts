import type { Host } from "../host/host.ts";
import { mayBeNamespace } from "../net/namespace.ts";
import type { CacheContent, CachedAttachment } from "../runtime/cache.ts";
import { staleAttachments } from "../runtime/gc.ts";
import type { ValidAttachment } from "../spec/derive.ts";
import { CniError, ErrorCode } from "../spec/errors.ts";
import { type Arguments, takeOperands, UsageError } from "./arguments.ts";
import { type Command, forPeople } from "./command.ts";
import { ENVIRONMENT_HELP, openRuntime } from "./environment.ts";

export const command: Command = {
  usage: "gc [OPTION...] NETWORK [NETNS]",
  about: `Removes from a network what is left of containers that are gone: addresses,
interfaces, rules. What stays are the attachments in /var/lib/cni/results whose
network namespace still exists, or, with --keep, exactly those that are named.
Where another runtime keeps its results elsewhere, name its attachments too.
NETNS is ignored.

  plumb gc mynet
  plumb gc mynet --keep 8a3f/eth0 --keep 77c1/eth0

${ENVIRONMENT_HELP}`,
  options: {
    keep: { value: "ID/IFNAME", help: "an attachment that stays; may be repeated" },
    all: { help: "keep nothing" },
    "dry-run": { help: "only show what would be kept and removed" },
  },

  async run(host, args) {
    const [name] = takeOperands(args, "NETWORK", "[NETNS]");
    const named = namedAttachments(args);
    const runtime = openRuntime(host);
    const network = runtime.network(name!);
    const cache = runtime.attachments();
    const kept = named ?? livingAttachments(host, cache, network.name);
    const removed = staleAttachments(cache.attachments, network.name, kept).map(validOf);
    if (!args.has("dry-run")) await runtime.gc(network, kept);
    if (args.has("json")) host.stdout(`${JSON.stringify({ network: name, kept, removed }, null, 4)}\n`);
    else if (forPeople(host, args) || args.has("dry-run")) host.stdout(gcText(network.name, kept, removed));
    return 0;
  },
};

/** What was done, for people. */
export function gcText(
  network: string,
  kept: readonly ValidAttachment[],
  removed: readonly ValidAttachment[],
): string {
  const lines = (what: string, list: readonly ValidAttachment[]) =>
    list.map(({ containerID, ifname }) => `  ${what} ${containerID}/${ifname}\n`).join("");
  return `network ${network}: ${kept.length} kept, ${removed.length} removed\n${lines("kept   ", kept)}${lines("removed", removed)}`;
}

/** What --keep and --all say; undefined where neither is given. */
export function namedAttachments(args: Arguments): ValidAttachment[] | undefined {
  const named = args.values("keep");
  if (args.has("all")) {
    if (named.length > 0) throw new UsageError("--all and --keep exclude each other");
    return [];
  }
  return named.length > 0 ? named.map(parseAttachment) : undefined;
}

function parseAttachment(text: string): ValidAttachment {
  const [containerID, ifname, more] = text.split("/");
  if (!containerID || !ifname || more !== undefined)
    throw new UsageError(`--keep wants ID/IFNAME, got "${text}"`);
  return { containerID, ifname };
}

/** The network's attachments whose namespace exists. Without a full view of the cache none is guessed to be gone. */
function livingAttachments(
  host: Host,
  { attachments, unreadable }: CacheContent,
  network: string,
): ValidAttachment[] {
  const doubtful = unreadable.filter((file) => file.includes(`/${network}-`));
  if (doubtful.length > 0)
    throw new CniError(
      ErrorCode.Decoding,
      `cannot tell which attachments of network "${network}" are alive`,
      `These cache entries cannot be read: ${doubtful.join(", ")}. Remove them, or name with --keep what stays.`,
    );
  return attachments.filter((cached) => cached.network === network && mayLive(host, cached)).map(validOf);
}

/** False if the namespace is gone. Where the cache does not tell its path, or it cannot be opened, it may live. */
function mayLive(host: Host, { netns }: CachedAttachment): boolean {
  return netns === "" || mayBeNamespace(host, netns);
}

function validOf({ containerId, ifName }: CachedAttachment): ValidAttachment {
  return { containerID: containerId, ifname: ifName };
}
