/** A table of iptables, read by netlink where the programs keep it in nftables, else by iptables-save. */
import type { Host } from "../../host/host.ts";
import type { TableId } from "../../netlink/nftables/batch.ts";
import { countUses } from "../../netlink/nftables/chain.ts";
import { listRules } from "../../netlink/nftables/rule.ts";
import type { NetlinkSocket } from "../../netlink/socket.ts";
import type { Namespace } from "../namespace.ts";
import { hasLegacyTable, restoreProgram, saveIptables } from "./programs.ts";
import { ruleText } from "./rule-text.ts";

const LINKS_MAX = 8;

/** What can be asked about a table. */
export interface IptablesTable {
  hasChain(chain: string): boolean;
  /** The rules of a chain as iptables-save prints them; of those that do not contain `mention`, some may be missing. */
  rules(chain: string, mention: string): readonly string[];
}

/** Code 100 if iptables is not installed, or fails. */
export function readIptables(netns: Namespace, family: 4 | 6, table: string): IptablesTable {
  const { host, netfilter } = netns;
  if (hasLegacyTable(host, family, table) || !speaksNftables(host, family))
    return new SavedTable(host, family, table);
  return new NetlinkTable(
    netfilter,
    { family: family === 4 ? "ip" : "ip6", name: table },
    () => new SavedTable(host, family, table),
  );
}

class SavedTable implements IptablesTable {
  readonly #lines: readonly string[];

  constructor(host: Host, family: 4 | 6, table: string) {
    this.#lines = saveIptables(host, family, table);
  }

  hasChain(chain: string): boolean {
    return this.#lines.some((line) => line.startsWith(`:${chain} `));
  }

  rules(chain: string): readonly string[] {
    return this.#lines.filter((line) => line.startsWith(`-A ${chain} `));
  }
}

class NetlinkTable implements IptablesTable {
  readonly #netfilter: NetlinkSocket;
  readonly #table: TableId;
  readonly #save: () => IptablesTable;

  constructor(netfilter: NetlinkSocket, table: TableId, save: () => IptablesTable) {
    this.#netfilter = netfilter;
    this.#table = table;
    this.#save = save;
  }

  hasChain(name: string): boolean {
    return this.#netfilter.query(countUses({ table: this.#table, name })) !== undefined;
  }

  rules(chain: string, mention: string): readonly string[] {
    const texts = this.#netfilter.dump(listRules(this.#table, chain, mention)).map(ruleText);
    // Written by a version of iptables, or by somebody, of whose expressions we do not know all.
    return texts.includes(undefined) ? this.#save().rules(chain, mention) : (texts as string[]);
  }
}

/** Whether the machine's iptables-restore is known to speak to nftables: by the names of the links that lead to it. */
function speaksNftables(host: Host, family: 4 | 6): boolean {
  let path = restoreProgram(host, family);
  for (let links = 0; links < LINKS_MAX; links++) {
    const folder = path.slice(0, path.lastIndexOf("/") + 1);
    if (path.slice(folder.length).includes("-nft")) return true;
    const target = host.sys.readlink(path);
    if (typeof target === "number") return false;
    path = target.startsWith("/") ? target : folder + target;
  }
  return false;
}
