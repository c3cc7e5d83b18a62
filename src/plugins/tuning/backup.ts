import type { Host } from "../../host/host.ts";
import type { Attachment } from "../../plugin/types.ts";
import { CniError } from "../../spec/errors.ts";
import { type Infer, object, optional, string } from "../../spec/schema.ts";
import { dataDirOf, type TuningConfig } from "./config.ts";
import { differences, pick, type Setting, type Settings, settings, settingsIn } from "./settings.ts";

/**
 * The files that tell DEL what an interface's settings were before ADD: `<dataDir>/<container ID>_<interface>.json`,
 * in the reference's format. The keys `network` and `set` are ours; the reference passes over them.
 */

const MODE = 0o600;
const DIRECTORY_MODE = 0o700;

const backup = object({
  ...settings(),
  network: optional(string(), ""),
  /** What ADD has set in place of it. */
  set: optional(object(settings()), {}),
});

export type Backup = Infer<typeof backup>;

export function backupName({ containerId, ifName }: Attachment): string {
  return `${containerId}_${ifName}.json`;
}

/** The name of a backup until it is whole. It is the same for every process, so that DEL finds what a killed one left. */
export const DRAFT = ".tmp";

export function backupPath(config: TuningConfig, attachment: Attachment): string {
  return `${dataDirOf(config)}/${backupName(attachment)}`;
}

/** Undefined if there is none, or only a part of one, as another program leaves it when it is killed. */
export function readBackup(host: Host, path: string): Backup | undefined {
  return parseBackup(host.readFileIfAny(path));
}

function parseBackup(text: string | undefined): Backup | undefined {
  try {
    return text === undefined ? undefined : backup.parse(JSON.parse(text), "");
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof CniError) return undefined;
    throw error;
  }
}

export interface BackupWish {
  readonly path: string;
  readonly network: string;
  /** All settings as they are now. */
  readonly now: Settings;
  /** Those that are about to be set. */
  readonly set: Settings;
}

/** Writes down what is about to be overwritten. `remove` makes the file as it was. */
export function saveBackup(host: Host, { path, network, now, set }: BackupWish): { remove(): void } {
  const text = host.readFileIfAny(path);
  const older = parseBackup(text);
  const kept = older ? keptOf(older, now) : [];
  const content = {
    ...pick(now, settingsIn(set)),
    ...pick(older ?? {}, kept),
    network,
    set: { ...pick(older?.set ?? {}, kept), ...pick(set, settingsIn(set)) },
  };
  host.makeDirectories(path.slice(0, path.lastIndexOf("/")), DIRECTORY_MODE);
  const write = (text: string) => host.replaceFile(path, text, MODE, path + DRAFT);
  write(JSON.stringify(content, undefined, 1));
  return {
    remove() {
      if (text === undefined) host.removeFile(path);
      else write(text);
    },
  };
}

export function removeBackup(host: Host, path: string): void {
  for (const file of [path, path + DRAFT]) host.removeFile(file);
}

/**
 * The settings of a backup that hold further: those that still are as ADD had set them. That was another tuning plugin of
 * this chain, and what was before it is what DEL shall restore. Others are from a former interface of the same name.
 */
function keptOf({ set, ...before }: Backup, now: Settings): Setting[] {
  const both = settingsIn(set).filter((name) => before[name] !== undefined);
  const lost = differences(both, set, now);
  return both.filter((name) => !lost.includes(name));
}
