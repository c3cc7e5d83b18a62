import type { Host } from "../host/host.ts";
import { Namespace, openNamespace } from "../net/namespace.ts";
import { parseArgs } from "../spec/args.ts";
import { CniError, ErrorCode } from "../spec/errors.ts";
import { isObject, type JsonObject, member, show } from "../spec/json.ts";
import { parseContainerId, parseIfName, parseNetworkName } from "../spec/names.ts";
import type { Result } from "../spec/result.ts";
import { readResult } from "../spec/results/index.ts";
import { incompatibleVersion, isAtLeast } from "../spec/versions.ts";
import type { Plugin } from "./define.ts";
import { splitPath } from "./exec.ts";
import type { Input } from "./input.ts";
import type { AddRequest, Attachment, CheckRequest, DelRequest, GcRequest, StatusRequest } from "./types.ts";
import { COMMANDS, type Command } from "./verbs.ts";

/** A request of any verb. COMMANDS tells which fields are there for which. */
export type AnyRequest = AddRequest<unknown> &
  CheckRequest<unknown> &
  DelRequest<unknown> &
  StatusRequest<unknown> &
  GcRequest<unknown>;

/** Code 4 for an unknown command, and for missing variables, which it names. */
export function checkVariables(host: Host, command: string): asserts command is Command {
  if (!Object.hasOwn(COMMANDS, command))
    throw new CniError(
      ErrorCode.InvalidEnvironment,
      `unknown CNI_COMMAND: ${show(command)}`,
      `Known are ${Object.keys(COMMANDS).join(", ")} and VERSION.`,
    );
  const missing = COMMANDS[command as Command].required.filter((name) => host.variable(name) === undefined);
  if (missing.length > 0)
    throw new CniError(
      ErrorCode.InvalidEnvironment,
      `required env variables [${missing.join(",")}] missing`,
      `CNI_COMMAND is ${command}.`,
    );
}

/** Code 1 if the plugin does not speak the configuration's version, or that version has no such command. */
export function checkVersion(plugin: Plugin, command: Command, cniVersion: string): void {
  if (!plugin.versions.some((version) => version === cniVersion))
    throw incompatibleVersion(cniVersion, plugin.versions);
  const { since } = COMMANDS[command];
  if (!isAtLeast(cniVersion, since))
    throw new CniError(
      ErrorCode.IncompatibleVersion,
      `config version does not allow ${command}`,
      `cniVersion is ${cniVersion}; ${command} came with ${since}.`,
    );
}

/** Everything that the verb needs to know, checked. */
export function readRequest(
  host: Host,
  plugin: Plugin,
  command: Command,
  { stdin, rawConfig, cniVersion }: Input,
  warn: AnyRequest["warn"],
): AnyRequest {
  const { netns: wanted } = COMMANDS[command];
  const ofContainer = command === "ADD" || command === "DEL" || command === "CHECK";
  const network = parseNetworkName(member(rawConfig, "name"));
  const attachment = ofContainer && readAttachment(host, command);
  const prevResult = ofContainer ? readPrevResult(rawConfig, cniVersion, command) : undefined;
  const netns = plugin.sandbox === "netns" && wanted !== "none" ? readNetns(host, command) : undefined;
  return {
    host,
    stdin,
    rawConfig,
    cniVersion,
    warn,
    network,
    hostNetns: new Namespace(host),
    path: splitPath(host.variable("CNI_PATH") ?? ""),
    ...attachment,
    ...(prevResult && { prevResult }),
    ...(netns && { netns }),
    ...(command === "GC" && { validAttachments: readValidAttachments(rawConfig) }),
    config: plugin.config.parse(rawConfig, ""),
  } as AnyRequest;
}

function readAttachment(
  host: Host,
  command: Command,
): Attachment & { readonly args: ReadonlyMap<string, string> } {
  return {
    containerId: parseContainerId(host.variable("CNI_CONTAINERID")!),
    ifName: parseIfName(host.variable("CNI_IFNAME")!),
    args: unlessDel(command, () => parseArgs(host.variable("CNI_ARGS"))) ?? new Map(),
  };
}

function readPrevResult(rawConfig: JsonObject, cniVersion: string, command: Command): Result | undefined {
  const json = member(rawConfig, "prevResult");
  return json === undefined ? undefined : unlessDel(command, () => readResult(json, cniVersion));
}

/** The container's namespace. Code 8 if CNI_NETNS leads to none. */
export function openNetns(host: Host): Namespace {
  const path = host.variable("CNI_NETNS") ?? "";
  const mayBeOwn = /^(1|true)$/i.test(host.variable("CNI_NETNS_OVERRIDE") ?? "");
  return openNamespace(host, path, mayBeOwn);
}

/** For DEL, a namespace that is empty, gone or none at all is no error: its interfaces are gone with it. */
function readNetns(host: Host, command: Command): Namespace | undefined {
  return unlessDel(command, () => openNetns(host));
}

/** DEL goes on without what cannot be read: it would not come back in a better shape, and cleaning up needs it little. */
function unlessDel<T>(command: Command, read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (command === "DEL") return undefined;
    throw error;
  }
}

/** Code 7 without a list: an empty one would mean that nothing is to stay. */
function readValidAttachments(rawConfig: JsonObject): Attachment[] {
  const list = rawConfig["cni.dev/valid-attachments"] ?? rawConfig["cni.dev/attachments"];
  if (!Array.isArray(list))
    throw new CniError(
      ErrorCode.InvalidConfig,
      "GC without a list of valid attachments",
      '"cni.dev/valid-attachments" must list what is to stay: [{"containerID": "…", "ifname": "…"}]. An empty list removes all.',
    );
  return list.map((entry: unknown) => {
    const [containerId, ifName] = isObject(entry)
      ? [member(entry, "containerID"), member(entry, "ifname")]
      : [];
    if (typeof containerId === "string" && typeof ifName === "string") return { containerId, ifName };
    throw new CniError(
      ErrorCode.InvalidConfig,
      `invalid entry ${show(entry)} in cni.dev/valid-attachments`,
      'It reads {"containerID": "…", "ifname": "…"}.',
    );
  });
}
