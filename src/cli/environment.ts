import type { Host } from "../host/host.ts";
import { splitPath } from "../plugin/exec.ts";
import { pluginTypes } from "../plugins/registry.ts";
import type { Attachment } from "../runtime/chain.ts";
import {
  createRuntime,
  DEFAULT_CONF_DIR,
  DEFAULT_PATH,
  type Runtime,
  type RuntimeOptions,
} from "../runtime/runtime.ts";
import { parseArgs } from "../spec/args.ts";
import { CniError, ErrorCode } from "../spec/errors.ts";
import { isObject, type JsonObject, show } from "../spec/json.ts";
import { type Arguments, type Options, takeOperands } from "./arguments.ts";

/** The part of all helps that tells of the environment; names and meaning are those of cnitool. */
export const ENVIRONMENT_HELP = `Environment:
  NETCONFPATH  directory of the configurations, default /etc/cni/net.d
  CNI_PATH     directories of the plugins, default /opt/cni/bin; plumb's own
               plugins are found without
  CNI_ARGS     arguments for the plugins: KEY=VALUE;KEY=VALUE
  CAP_ARGS     capability arguments: a JSON object
  PLUMB_LOG_FILE, PLUMB_LOG_LEVEL, PLUMB_TRACE_FILE
               a log of all calls, and a file for OpenTelemetry's spans`;

/** The line more where one interface is meant. */
export const IFNAME_HELP = "  CNI_IFNAME   name of the interface, default eth0";

/** What names an attachment besides the network and the namespace. */
export const attachmentOptions: Options = {
  id: { value: "ID", help: "container ID, in place of one made of NETNS" },
  ifname: { short: "i", value: "NAME", help: "name of the interface" },
};

/** A runtime as the environment wants it. It finds the plugins of this executable although they are not installed. */
export function openRuntime(host: Host, options: Pick<RuntimeOptions, "programs"> = {}): Runtime {
  const path = splitPath(host.variable("CNI_PATH") ?? "");
  return createRuntime({
    host,
    path: path.length > 0 ? path : DEFAULT_PATH,
    confDir: host.variable("NETCONFPATH") || DEFAULT_CONF_DIR,
    builtIn: { path: "/proc/self/exe", types: pluginTypes },
    ...options,
  });
}

/** The attachment of the namespace at `netns`; without --id, with the container ID that cnitool gives it. */
export function attachmentOf(host: Host, args: Arguments, netns: string): Attachment {
  const path = absolutePath(host, netns);
  return {
    containerId: args.value("id") ?? `cnitool-${host.sha512(path, 20)}`,
    netns: path,
    ifName: args.value("ifname") ?? (host.variable("CNI_IFNAME") || "eth0"),
    ...parametersOf(host),
  };
}

/** What NETWORK and NETNS name. With --id, NETNS may be missing or empty: then it is where it was at ADD, or "". */
export function existingAttachment(
  host: Host,
  args: Arguments,
  runtime: Runtime,
): { name: string; attachment: Attachment } {
  const [name, netns] = takeOperands(args, "NETWORK", args.has("id") ? "[NETNS]" : "NETNS");
  const attachment = attachmentOf(host, args, netns || "/");
  if (netns) return { name: name!, attachment };
  const cached = runtime.attachment(name!, attachment.containerId, attachment.ifName);
  return { name: name!, attachment: { ...attachment, netns: cached?.netns ?? "" } };
}

/** CNI_ARGS and CAP_ARGS; what is not set is left out. */
export function parametersOf(host: Host): Pick<Attachment, "args" | "capabilityArgs"> {
  const args = host.variable("CNI_ARGS");
  const capabilityArgs = host.variable("CAP_ARGS");
  return {
    ...(args && { args: [...parseArgs(args)] }),
    ...(capabilityArgs && { capabilityArgs: parseCapabilityArgs(capabilityArgs) }),
  };
}

/** The path from the root, without `.`, `..` and doubled slashes. Links are not followed. */
export function absolutePath(host: Host, path: string): string {
  const full = path.startsWith("/") ? path : `${host.readLink("/proc/self/cwd")}/${path}`;
  const parts: string[] = [];
  for (const part of full.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

function parseCapabilityArgs(text: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Reported below.
  }
  if (isObject(value)) return value;
  throw new CniError(
    ErrorCode.InvalidEnvironment,
    `CAP_ARGS is no JSON object: ${show(text)}`,
    'It reads as {"portMappings":[{"hostPort":8080,"containerPort":80,"protocol":"tcp"}]}.',
  );
}
