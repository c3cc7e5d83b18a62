import type { Host } from "../host/host.ts";
import { asksForLog } from "../log/settings.ts";
import type { NetworkConfigList } from "../spec/config.ts";
import type { ValidAttachment } from "../spec/derive.ts";
import type { JsonObject } from "../spec/json.ts";
import { parseContainerId, parseIfName, parseNetworkName } from "../spec/names.ts";
import { type CacheContent, type CachedAttachment, listCache, readCache } from "./cache.ts";
import {
  type Attachment,
  addNetwork,
  type CallOptions,
  type ChainContext,
  checkNetwork,
  delNetwork,
  networkStatus,
} from "./chain.ts";
import type { BuiltInPlugins } from "./exec.ts";
import { asCniError } from "./failure.ts";
import { defaultNetwork, findNetwork, type NetworkDirectory, readNetworks } from "./find.ts";
import { collectGarbage } from "./gc.ts";
import { type LockContext, withAllContainers, withContainer } from "./locks.ts";
import { blockingPrograms, type Programs } from "./programs.ts";
import { pluginVersions, validateNetwork } from "./version.ts";
import type { Operation } from "./watch.ts";

/**
 * Runs CNI plugins: what Go's libcni offers. All failures are thrown as CniError; what a plugin answered is a
 * PluginError, which says which plugin of which network. Operations on one container come one after the other, GC alone,
 * over all processes that use the same `cacheDir`.
 */
export interface Runtime {
  /** All configurations of the directory in the order of their files, and the files that are none. */
  networks(): NetworkDirectory;
  /** The network of that name. Code 7 if there is none. */
  network(name: string): NetworkConfigList;
  /** The network of the first valid file. Code 7 if there is none. */
  defaultNetwork(): NetworkConfigList;

  /**
   * Attaches a container: ADD of the chain. Gives the result in the network's version, and stores it. After an error,
   * call `del`: what was set up until then stays.
   */
  add(network: NetworkConfigList, attachment: Attachment, options?: CallOptions): Promise<JsonObject>;
  /** Asks whether an attachment is still as `add` left it. Code 1 below version 0.4.0, code 3 without `add`. */
  check(network: NetworkConfigList, attachment: Attachment, options?: CallOptions): Promise<void>;
  /**
   * Detaches a container: DEL of the whole chain, last plugin first, also past errors, which are thrown at the end.
   * May be repeated; what is already gone is no error.
   */
  del(network: NetworkConfigList, attachment: Attachment, options?: CallOptions): Promise<void>;
  /** Asks whether the network is ready for `add`. Code 50 or 51 if not. Networks below version 1.1.0 always are. */
  status(network: NetworkConfigList, options?: CallOptions): Promise<void>;
  /** Removes all attachments of the network but the valid ones, and all that its plugins hold for others. */
  gc(network: NetworkConfigList, valid: readonly ValidAttachment[], options?: CallOptions): Promise<void>;

  /** What the cache knows of one attachment; undefined if it is none, or cannot be read. */
  attachment(network: string, containerId: string, ifName: string): CachedAttachment | undefined;
  /** What the cache knows of attachments, of one container or of all. */
  attachments(containerId?: string): CacheContent;
  /** Versions of the specification that a plugin speaks. */
  versions(type: string): Promise<readonly string[]>;
  /** Asks whether every plugin exists and speaks the network's version; gives the capabilities they declare. */
  validate(network: NetworkConfigList): Promise<readonly string[]>;
}

export interface RuntimeOptions {
  readonly host: Host;
  /** Directories in which plugins are searched, and their CNI_PATH. Default: /opt/cni/bin. */
  readonly path?: readonly string[];
  /** Where the configurations are. Default: /etc/cni/net.d. */
  readonly confDir?: string;
  /** Holds results/, the cache that all runtimes share, and plumb/locks/. Default: /var/lib/cni. */
  readonly cacheDir?: string;
  /** A plugin that takes longer is killed. Default: four minutes; DHCP may need three. */
  readonly timeoutMs?: number;
  /** How long an operation waits for another one on the same container, or for GC. Default: as `timeoutMs`. */
  readonly lockTimeoutMs?: number;
  /** Plugins that are found although no directory of `path` has them. */
  readonly builtIn?: BuiltInPlugins;
  /** Takes what plugins write to their stderr. Default: it goes to ours. */
  readonly onStderr?: (text: string, plugin: string) => void;
  /** How plugins are run. Default: one at a time. */
  readonly programs?: Programs;
}

export const DEFAULT_PATH: readonly string[] = ["/opt/cni/bin"];
export const DEFAULT_CONF_DIR = "/etc/cni/net.d";
export const DEFAULT_CACHE_DIR = "/var/lib/cni";
const DEFAULT_TIMEOUT_MS = 240_000;

/** A runtime for one set of directories. Nothing is read or made before the first call. */
export function createRuntime(options: RuntimeOptions): Runtime {
  const { host, confDir = DEFAULT_CONF_DIR } = options;
  const context = contextOf(options);

  /** `work`, told to the log and the trace that the environment wants. */
  async function told<T>(
    operation: Operation,
    options: CallOptions,
    work: (context: OperationContext, options: CallOptions) => Promise<T>,
  ): Promise<T> {
    if (!asksForLog(host)) return work(context, options).catch(rethrow);
    const { watchOperation } = await import("./watch.ts");
    return watchOperation(context, operation, options, work).catch(rethrow);
  }

  /** `work` with the container to itself, after a look at the names. */
  async function alone<T>(
    verb: "ADD" | "CHECK" | "DEL",
    network: NetworkConfigList,
    to: Attachment,
    options: CallOptions,
    work: typeof addNetwork | typeof checkNetwork | typeof delNetwork,
  ): Promise<T> {
    parseNetworkName(network.name);
    parseIfName(to.ifName);
    const containerId = parseContainerId(to.containerId);
    const what = `${verb} of ${to.ifName} on network ${network.name}`;
    return told({ verb, network, attachment: to }, options, (within, call) =>
      withContainer(within, containerId, what, () => work(within, network, to, call) as Promise<T>),
    );
  }

  return {
    networks: () => readNetworks(host, confDir),
    network: (name) => findNetwork(host, confDir, name),
    defaultNetwork: () => defaultNetwork(host, confDir),
    add: async (network, attachment, call = {}) => alone("ADD", network, attachment, call, addNetwork),
    check: async (network, attachment, call = {}) => alone("CHECK", network, attachment, call, checkNetwork),
    del: async (network, attachment, call = {}) => alone("DEL", network, attachment, call, delNetwork),
    status: async (network, call = {}) =>
      told({ verb: "STATUS", network }, call, (within, options) => networkStatus(within, network, options)),
    gc: async (network, valid, call = {}) =>
      told({ verb: "GC", network }, call, (within, options) =>
        withAllContainers(within, `GC of network ${network.name}`, () =>
          collectGarbage(within, network, valid, options),
        ),
      ),
    attachment: (network, containerId, ifName) =>
      readCache(host, context.cacheDir, network, containerId, ifName),
    attachments(containerId) {
      const content = listCache(host, context.cacheDir);
      if (containerId === undefined) return content;
      const attachments = content.attachments.filter((cached) => cached.containerId === containerId);
      return { ...content, attachments };
    },
    versions: async (type) => pluginVersions(context, type),
    validate: async (network) => validateNetwork(context, network),
  };
}

/** What the system refused is a CniError too for who uses the library. */
function rethrow(error: unknown): never {
  throw asCniError(error);
}

type OperationContext = ChainContext & LockContext;

function contextOf(options: RuntimeOptions): OperationContext {
  const { host, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
  return {
    host,
    programs: options.programs ?? blockingPrograms(host),
    path: options.path ?? DEFAULT_PATH,
    cacheDir: options.cacheDir ?? DEFAULT_CACHE_DIR,
    timeoutMs,
    lockTimeoutMs: options.lockTimeoutMs ?? timeoutMs,
    onStderr: options.onStderr ?? ((text) => host.stderr(text)),
    ...(options.builtIn && { builtIn: options.builtIn }),
  };
}
