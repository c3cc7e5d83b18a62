/**
 * Who has which address, where the rules tell addresses alone (iptables, firewalld): a file for each, named
 * ADDRESS-OWNER. Like the rules, it does not outlive the machine's run.
 */
import { type Ip, parseIp } from "../../address/ip.ts";
import { errno } from "../../host/errno.ts";
import { type Host, isErrno } from "../../host/host.ts";
import { ownerHash } from "../masquerade/owner.ts";
import type { Owner } from "../owned.ts";

const FOLDER = "/run/cni/firewall";
const NAME = /^(.+)-([0-9a-f]{16}-[0-9a-f]{16})$/;

export interface AddressRecord {
  readonly ip: Ip;
  /** As `ownerHash` has it; it begins with the network's. */
  readonly owner: string;
  readonly path: string;
}

/** Writes down that the attachment has these addresses; before the rules are made, so that none is without a record. */
export function recordAddresses(host: Host, owner: Owner, addresses: readonly Ip[]): void {
  host.makeDirectories(FOLDER);
  const { network, containerId, ifName } = owner;
  for (const ip of addresses)
    host.writeFile(
      `${FOLDER}/${ip}-${ownerHash(host, owner)}`,
      `net: ${network}, if: ${ifName}, id: ${containerId}\n`,
    );
}

/** What was written down of all attachments. */
export function listRecords(host: Host): AddressRecord[] {
  return filesIn(host).flatMap((name) => {
    const [, address = "", owner = ""] = NAME.exec(name) ?? [];
    const ip = parseIp(address);
    return ip ? [{ ip, owner, path: `${FOLDER}/${name}` }] : [];
  });
}

export function removeRecords(host: Host, records: readonly AddressRecord[]): void {
  for (const { path } of records) host.removeFile(path);
}

function filesIn(host: Host): string[] {
  try {
    return host.readDirectory(FOLDER);
  } catch (error) {
    if (isErrno(error, errno.ENOENT)) return [];
    throw error;
  }
}
