import { type Host, SysError } from "../host/host.ts";
import { CniError, errorObject } from "../spec/errors.ts";
import type { JsonObject } from "../spec/json.ts";
import { type ResultCodec, resultCodec } from "../spec/results/index.ts";
import { NEWEST_VERSION } from "../spec/versions.ts";
import { CleanupList } from "./cleanup.ts";
import type { Plugin, Registry } from "./define.ts";
import { explain } from "./explain.ts";
import { type Input, readInput, readVersion } from "./input.ts";
import { prepareIpam } from "./ipam.ts";
import { type AnyRequest, checkVariables, checkVersion, readRequest } from "./request.ts";
import { UndoList } from "./undo.ts";
import { COMMANDS, type Command } from "./verbs.ts";
import type { Watch } from "./watch.ts";

const WATCHING = ["PLUMB_LOG_FILE", "PLUMB_LOG_LEVEL", "PLUMB_TRACE_FILE"];

/**
 * Acts as the executable of `plugin` (specification, section 2): environment and stdin in, result or error
 * object out. Gives the exit code. Everything is checked before the plugin's own function runs.
 */
export async function runPlugin(host: Host, plugin: Plugin, registry: Registry): Promise<number> {
  const command = host.variable("CNI_COMMAND") ?? "";
  if (command === "") return introduce(host, plugin);
  let cniVersion: string = NEWEST_VERSION;
  let input: Input | undefined;
  let watch: Watch | undefined;
  const warnings: string[] = [];
  const warn = (text: string) => (watch ? watch.warn(text) : warnings.push(text));
  try {
    if (isWatched(host)) watch = (await import("./watch.ts")).watchCall(host, plugin.type);
    if (command === "VERSION") {
      cniVersion = await readVersion(host);
      print(watch?.host ?? host, { cniVersion, supportedVersions: plugin.versions });
      watch?.succeeded();
      return 0;
    }
    checkVariables(host, command);
    input = await readInput(host);
    cniVersion = input.cniVersion;
    if (watch || wantsWatch(input.rawConfig)) {
      watch ??= (await import("./watch.ts")).watchCall(host, plugin.type);
      watch.configure(input.rawConfig);
    }
    await call({ host: watch?.host ?? host, plugin, registry, command, warn, watch }, input);
    watch?.succeeded();
    return 0;
  } catch (error) {
    return await report(host, { type: plugin.type, cniVersion, watch, config: input?.rawConfig }, error);
  } finally {
    if (warnings.length > 0)
      (await import("./tell.ts")).tellWarnings(host, plugin.type, input?.rawConfig, warnings);
  }
}

/** Whether the environment asks for a log or for spans. */
function isWatched(host: Host): boolean {
  return WATCHING.some((name) => host.variable(name));
}

/** Whether a configuration may: it has a key that looks like one of those of `logSchema`. */
function wantsWatch(config: JsonObject): boolean {
  for (const key in config)
    if (key.length >= 7 && key.length <= 9 && /^(log(file|level)|tracefile)$/i.test(key)) return true;
  return false;
}

function print(host: Host, json: unknown): void {
  host.stdout(`${JSON.stringify(json)}\n`);
}

function introduce(host: Host, { type, versions, introduction }: Plugin): number {
  const lines = [`CNI ${type} plugin (plumb)`, `CNI protocol versions supported: ${versions.join(", ")}`];
  if (introduction) lines.push(introduction);
  host.stderr(`${lines.join("\n")}\n`);
  return 0;
}

/** Whose failure it is, as far as that is known. */
interface Failed {
  readonly type: string;
  readonly cniVersion: string;
  readonly config?: JsonObject | undefined;
  readonly watch?: Watch | undefined;
}

/** Answers with an error object, and tells the log. Gives the exit code. */
export async function report(host: Host, { type, cniVersion, config, watch }: Failed, error: unknown) {
  // Loaded first: should memory lack for it, there is to be one answer.
  const { refusalText, tellFailure } = await import("./tell.ts");
  const explained = explain(error);
  const object = errorObject(explained, cniVersion);
  let unheard: string | undefined;
  try {
    print(host, object);
  } catch (refused) {
    if (!(refused instanceof SysError)) throw refused;
    // Who called hears of it by the exit code; the rest is for the log.
    unheard = refusalText(refused, object);
  }
  if (watch) watch.failed(explained, unheard);
  else tellFailure(host, type, config, explained, unheard);
  return 1;
}

interface Caller {
  readonly host: Host;
  readonly plugin: Plugin;
  readonly registry: Registry;
  readonly command: Command;
  readonly warn: (text: string) => void;
  readonly watch: Watch | undefined;
}

async function call({ host, plugin, registry, command, warn, watch }: Caller, input: Input): Promise<void> {
  checkVersion(plugin, command, input.cniVersion);
  const codec = resultCodec(input.cniVersion);
  const bare = readRequest(host, plugin, command, input, warn);
  const { verb } = COMMANDS[command];
  // An IPAM plugin is what its configuration's `ipam` names.
  const delegates = plugin.sandbox === "netns";
  const ipam = delegates && (await prepareIpam({ request: bare, verb, stdin: input.stdin, registry }));
  const full: AnyRequest = ipam ? { ...bare, ipam: watch ? watch.delegate(ipam) : ipam } : bare;
  switch (verb) {
    case "add":
      return add(plugin, full, codec);
    case "del":
    case "gc":
      return cleanUp(plugin, full, verb);
    case "check":
    case "status":
      (await plugin.load(verb, full))?.(full);
  }
}

/** Runs ADD and prints its result; what a failed one has made is removed, and the error that is told is the first. */
async function add(plugin: Plugin, request: AnyRequest, codec: ResultCodec): Promise<void> {
  const work = await plugin.load("add", request);
  const undo = new UndoList();
  try {
    const result = work?.(request, undo) ?? request.prevResult ?? {};
    print(request.host, codec.encode(result));
  } catch (error) {
    const failures = await undo.run();
    if (failures.length === 0) throw error;
    const { code, message, details } = explain(error);
    const lines = [details, "Not everything could be undone:", ...failures];
    throw new CniError(code, message, lines.join("\n").trim(), { cause: error });
  }
}

async function cleanUp(plugin: Plugin, request: AnyRequest, verb: "del" | "gc"): Promise<void> {
  const work = await plugin.load(verb, request);
  const cleanup = new CleanupList();
  work?.(request, cleanup);
  cleanup.finish();
}
