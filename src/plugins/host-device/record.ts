import type { Host } from "../../host/host.ts";
import type { Attachment } from "../../plugin/types.ts";
import { isObject } from "../../spec/json.ts";

/**
 * What is remembered of a device while a container has it, in a file for each. The alias of the link has its name, as
 * the reference does it, and is enough for DEL; the rest restores what the alias does not tell. Below /run, since after
 * the next boot the device is where it was.
 */

const DIRECTORY = "/run/cni/host-device";

export interface DeviceRecord extends Attachment {
  readonly network: string;
  /** The path of the container's namespace. */
  readonly netns: string;
  /** The device on the host: its name, and more of it as it was. */
  readonly name: string;
  readonly mac: string;
  readonly mtu: number;
  readonly up: boolean;
  readonly alias: string;
  /** No kernel driver made the link for somebody who asked: it outlives the namespace. */
  readonly physical: boolean;
}

/** Before the device moves: a part of a file, which counts as none, is one too many at the most. */
export function writeRecord(host: Host, record: DeviceRecord): void {
  host.makeDirectories(DIRECTORY);
  host.writeFile(fileOf(record), JSON.stringify(record), 0o600);
}

/** The record of a container's interface, undefined if there is none. It may be of another network. */
export function readRecord(host: Host, of: Attachment): DeviceRecord | undefined {
  return parse(host.readFileIfAny(fileOf(of)) ?? "");
}

export function removeRecord(host: Host, of: Attachment): void {
  host.removeFile(fileOf(of));
}

/** The records of a network. */
export function listRecords(host: Host, network: string): DeviceRecord[] {
  const names = host.statIfAny(DIRECTORY) ? host.readDirectory(DIRECTORY) : [];
  return names
    .filter((name) => name.endsWith(".json"))
    .map((name) => parse(host.readFileIfAny(`${DIRECTORY}/${name}`) ?? ""))
    .filter((record) => record !== undefined)
    .filter((record) => record.network === network);
}

function fileOf({ containerId, ifName }: Attachment): string {
  return `${DIRECTORY}/${containerId}:${ifName}.json`;
}

/** Undefined for what a crash has left of a file. */
function parse(text: string): DeviceRecord | undefined {
  try {
    const record: unknown = JSON.parse(text);
    return isObject(record) && typeof record["name"] === "string"
      ? (record as unknown as DeviceRecord)
      : undefined;
  } catch {
    return undefined;
  }
}
