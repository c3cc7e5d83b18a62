import type { Host } from "../host/host.ts";
import { CniError, ErrorCode, errorObject } from "../spec/errors.ts";
import type { Result } from "../spec/result.ts";
import { resultCodec } from "../spec/results/index.ts";
import { NEWEST_VERSION } from "../spec/versions.ts";
import { CleanupList } from "./cleanup.ts";
import type { Plugin, Registry } from "./define.ts";
import { explain } from "./explain.ts";
import { prepareIpam } from "./ipam.ts";
import {
  type AnyRequest,
  checkVariables,
  checkVersion,
  type Input,
  readInput,
  readRequest,
} from "./request.ts";
import { UndoList } from "./undo.ts";
import { COMMANDS, type Command } from "./verbs.ts";

/**
 * Acts as the executable of `plugin` (specification, section 2): environment and stdin in, result or error
 * object out. Gives the exit code. Everything is checked before the plugin's own function runs.
 */
export async function runPlugin(host: Host, plugin: Plugin, registry: Registry): Promise<number> {
  const command = host.variable("CNI_COMMAND");
  if (command === undefined) return introduce(host, plugin);
  let cniVersion: string = NEWEST_VERSION;
  try {
    if (command !== "VERSION") checkVariables(host, command);
    const input = readInput(host);
    cniVersion = input.cniVersion;
    const output =
      command === "VERSION"
        ? { cniVersion, supportedVersions: plugin.versions }
        : await call(host, plugin, registry, command as Command, input);
    if (output !== undefined) host.stdout(`${JSON.stringify(output)}\n`);
    return 0;
  } catch (error) {
    return report(host, error, cniVersion);
  }
}

function introduce(host: Host, { type, versions }: Plugin): number {
  host.stderr(`CNI ${type} plugin (plumb)\nCNI protocol versions supported: ${versions.join(", ")}\n`);
  return 0;
}

function report(host: Host, error: unknown, cniVersion: string): number {
  const explained = explain(error);
  if (explained.code === ErrorCode.Internal && error instanceof Error)
    host.stderr(`plumb: ${error.name}: ${error.message}\n${error.stack ?? ""}\n`);
  host.stdout(`${JSON.stringify(errorObject(explained, cniVersion))}\n`);
  return 1;
}

async function call(
  host: Host,
  plugin: Plugin,
  registry: Registry,
  command: Command,
  input: Input,
): Promise<unknown> {
  checkVersion(plugin, command, input.cniVersion);
  const codec = await resultCodec(input.cniVersion);
  const bare = readRequest(host, plugin, command, input, codec);
  const { verb } = COMMANDS[command];
  const ipam = await prepareIpam({ request: bare, verb, stdin: input.stdin, registry, codec });
  const request: AnyRequest = ipam ? { ...bare, ipam } : bare;
  switch (command) {
    case "ADD":
      return codec.encode(await add(plugin, request));
    case "DEL":
    case "GC":
      return cleanUp(plugin, request, verb as "del" | "gc");
    default:
      (await plugin.load(verb as "check" | "status"))?.(request);
      return undefined;
  }
}

/** Runs ADD; what a failed one has made is removed again, and the error that is reported is the first. */
async function add(plugin: Plugin, request: AnyRequest): Promise<Result> {
  const work = await plugin.load("add");
  const undo = new UndoList();
  try {
    return work?.(request, undo) ?? request.prevResult ?? {};
  } catch (error) {
    const failures = await undo.run();
    if (failures.length === 0) throw error;
    const { code, message, details } = explain(error);
    throw new CniError(
      code,
      message,
      [details, "Not everything could be undone:", ...failures].join("\n").trim(),
      { cause: error },
    );
  }
}

async function cleanUp(plugin: Plugin, request: AnyRequest, verb: "del" | "gc"): Promise<void> {
  const work = await plugin.load(verb);
  const cleanup = new CleanupList();
  work?.(request, cleanup);
  cleanup.finish();
}
