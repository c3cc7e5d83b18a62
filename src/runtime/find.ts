import { errno } from "../host/errno.ts";
import { type Host, isErrno, S_IFDIR, S_IFMT } from "../host/host.ts";
import {
  type NetworkConfigList,
  type PluginConfig,
  parseConf,
  parseConfigList,
  parsePluginConf,
  withFolderPlugins,
} from "../spec/config.ts";
import { CniError, ErrorCode } from "../spec/errors.ts";
import { show } from "../spec/json.ts";
import { asCniError } from "./failure.ts";

/** A network and the file that it was read from. */
export interface FoundNetwork {
  readonly file: string;
  readonly network: NetworkConfigList;
}

/** A file that looks like a configuration and is none. */
export interface BadFile {
  readonly file: string;
  readonly problem: CniError;
}

/** A directory of configurations, in the lexical order of the files. */
export interface NetworkDirectory {
  readonly networks: readonly FoundNetwork[];
  readonly bad: readonly BadFile[];
}

const LIST_ENDING = ".conflist";
const SINGLE_ENDINGS = [".conf", ".json"];

/** Reads all configurations of a directory; one that is missing has none. The first of `networks` is the default one. */
export function readNetworks(host: Host, directory: string): NetworkDirectory {
  const networks: FoundNetwork[] = [];
  const bad: BadFile[] = [];
  for (const file of filesIn(host, directory, [LIST_ENDING, ...SINGLE_ENDINGS])) {
    try {
      networks.push({ file, network: readNetwork(host, file) });
    } catch (error) {
      bad.push({ file, problem: asCniError(error) });
    }
  }
  return { networks, bad };
}

/**
 * The network of that name: the first among the lists, then among the single plugins, as libcni looks for it.
 * Code 7 if there is none; bad files are named then, since one of them may be meant.
 */
export function findNetwork(host: Host, directory: string, name: string): NetworkConfigList {
  const { networks, bad } = readNetworks(host, directory);
  const named = networks.filter(({ network }) => network.name === name);
  const found = named.find(({ file }) => file.endsWith(LIST_ENDING)) ?? named[0];
  if (found !== undefined) return found.network;
  const msg =
    networks.length + bad.length > 0
      ? `no net configuration with name ${show(name)} in ${directory}`
      : `no net configurations found in ${directory}`;
  throw new CniError(ErrorCode.InvalidConfig, msg, whatIsThere({ networks, bad }));
}

/** The network that is meant where none is named: the lexically first valid file's. Code 7 if there is none. */
export function defaultNetwork(host: Host, directory: string): NetworkConfigList {
  const { networks, bad } = readNetworks(host, directory);
  const [first] = networks;
  if (first !== undefined) return first.network;
  throw new CniError(
    ErrorCode.InvalidConfig,
    `no net configurations found in ${directory}`,
    whatIsThere({ networks, bad }),
  );
}

/**
 * Reads one file: a list with its folder of plugins (`<directory>/<network>/*.conf`), or a single plugin made a
 * list of one. The error names what is wrong, not the file.
 */
export function readNetwork(host: Host, file: string): NetworkConfigList {
  const text = host.readFile(file);
  if (!file.endsWith(LIST_ENDING)) return parseConf(text);
  const list = parseConfigList(text);
  if (list.loadOnlyInlinedPlugins) return list;
  const folder = `${file.slice(0, file.lastIndexOf("/"))}/${list.name}`;
  return withFolderPlugins(list, readPluginFolder(host, folder));
}

function readPluginFolder(host: Host, folder: string): PluginConfig[] {
  return filesIn(host, folder, [".conf"]).map((file) => {
    try {
      return parsePluginConf(host.readFile(file));
    } catch (error) {
      const { code, message, details } = asCniError(error);
      throw new CniError(code, `plugin file ${file}: ${message}`, details, { cause: error });
    }
  });
}

/** Files with one of the endings, in lexical order. */
function filesIn(host: Host, directory: string, endings: readonly string[]): string[] {
  return namesIn(host, directory)
    .filter((name) => endings.some((ending) => name.endsWith(ending)))
    .sort()
    .map((name) => `${directory}/${name}`)
    .filter((file) => ((host.statIfAny(file)?.mode ?? 0) & S_IFMT) !== S_IFDIR);
}

function namesIn(host: Host, directory: string): string[] {
  try {
    return host.readDirectory(directory);
  } catch (error) {
    if (isErrno(error, errno.ENOENT, errno.ENOTDIR)) return [];
    throw asCniError(error);
  }
}

function whatIsThere({ networks, bad }: NetworkDirectory): string {
  const names = networks.map(({ network }) => show(network.name));
  const lines = bad.map(({ file, problem }) => {
    const details = problem.details === "" ? "" : ` ${problem.details}`;
    return `${file} cannot be used: ${problem.message}.${details}`;
  });
  if (names.length > 0) lines.unshift(`There are: ${names.join(", ")}.`);
  return lines.join("\n");
}
