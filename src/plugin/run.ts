import { type Host, SysError } from "../host/host.ts";
import { CniError, ErrorCode, errorObject } from "../spec/errors.ts";
import { type ResultCodec, resultCodec } from "../spec/results/index.ts";
import { NEWEST_VERSION } from "../spec/versions.ts";
import { CleanupList } from "./cleanup.ts";
import type { Plugin, Registry } from "./define.ts";
import { explain, rootOf } from "./explain.ts";
import { type Input, readInput, readVersion } from "./input.ts";
import { prepareIpam } from "./ipam.ts";
import { type AnyRequest, checkVariables, checkVersion, readRequest } from "./request.ts";
import { UndoList } from "./undo.ts";
import { COMMANDS, type Command } from "./verbs.ts";

/**
 * Acts as the executable of `plugin` (specification, section 2): environment and stdin in, result or error
 * object out. Gives the exit code. Everything is checked before the plugin's own function runs.
 */
export async function runPlugin(host: Host, plugin: Plugin, registry: Registry): Promise<number> {
  const command = host.variable("CNI_COMMAND") ?? "";
  if (command === "") return introduce(host, plugin);
  let cniVersion: string = NEWEST_VERSION;
  try {
    if (command === "VERSION") {
      cniVersion = await readVersion(host);
      print(host, { cniVersion, supportedVersions: plugin.versions });
      return 0;
    }
    checkVariables(host, command);
    const input = await readInput(host);
    cniVersion = input.cniVersion;
    await call(host, plugin, registry, command, input);
    return 0;
  } catch (error) {
    return report(host, error, cniVersion);
  }
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

/** Answers with an error object. Gives the exit code. */
export function report(host: Host, error: unknown, cniVersion: string): number {
  const explained = explain(error);
  const root = rootOf(error);
  if (explained.code === ErrorCode.Internal && root instanceof Error)
    host.stderr(`plumb: ${root.name}: ${root.message}\n${root.stack ?? ""}\n`);
  const object = errorObject(explained, cniVersion);
  try {
    print(host, object);
  } catch (refused) {
    if (!(refused instanceof SysError)) throw refused;
    // Who called hears of it by the exit code; the rest is for the log.
    host.stderr(`plumb: ${refused.message}: ${JSON.stringify(object)}\n`);
  }
  return 1;
}

async function call(
  host: Host,
  plugin: Plugin,
  registry: Registry,
  command: Command,
  input: Input,
): Promise<void> {
  checkVersion(plugin, command, input.cniVersion);
  const codec = resultCodec(input.cniVersion);
  const bare = readRequest(host, plugin, command, input);
  const { verb } = COMMANDS[command];
  // An IPAM plugin is what its configuration's `ipam` names.
  const delegates = plugin.sandbox === "netns";
  const ipam = delegates && (await prepareIpam({ request: bare, verb, stdin: input.stdin, registry }));
  const request: AnyRequest = ipam ? { ...bare, ipam } : bare;
  switch (verb) {
    case "add":
      return add(plugin, request, codec);
    case "del":
    case "gc":
      return cleanUp(plugin, request, verb);
    case "check":
    case "status":
      (await plugin.load(verb, request))?.(request);
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
