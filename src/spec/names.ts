import { CniError, ErrorCode } from "./errors.ts";
import { show } from "./json.ts";

/** A container's identifier, as the runtime chose it. */
export type ContainerId = string & { readonly type: "ContainerId" };

/** The name of a network interface: 1 to 15 bytes (IFNAMSIZ in linux/if.h, less the final NUL). */
export type InterfaceName = string & { readonly type: "InterfaceName" };

/** The name of a network, unique on its host. */
export type NetworkName = string & { readonly type: "NetworkName" };

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;
const NAME_EXPECTED = "It must begin with a letter or digit; letters, digits, _ . and - may follow.";
const INTERFACE_NAME_BYTES = 15;

/** What the kernel takes for a link's name (dev_valid_name); with %, it would take it for a pattern (dev_alloc_name). */
export const INTERFACE_NAME = /^(?!\.{1,2}$)[^/:%\s\0]{1,15}$/;

/** Checks CNI_CONTAINERID (specification, "Parameters"). Code 3 if it is empty, code 4 if it has wrong characters. */
export function parseContainerId(text: string): ContainerId {
  if (text === "")
    throw new CniError(ErrorCode.UnknownContainer, "missing containerID", "CNI_CONTAINERID is empty.");
  if (!NAME.test(text)) {
    const details = `CNI_CONTAINERID is ${show(text)}. ${NAME_EXPECTED}`;
    throw new CniError(ErrorCode.InvalidEnvironment, "invalid characters in containerID", details);
  }
  return text as ContainerId;
}

/** Checks the name of an interface (specification, "Parameters"; dev_valid_name and dev_alloc_name in the kernel). Code 4. */
export function parseIfName(text: string): InterfaceName {
  const msg = ifNameProblem(text);
  if (msg === undefined) return text as InterfaceName;
  throw new CniError(ErrorCode.InvalidEnvironment, msg, `The interface name is ${show(text)}.`);
}

function ifNameProblem(text: string): string | undefined {
  if (text === "") return "interface name is empty";
  if (utf8Length(text) > INTERFACE_NAME_BYTES)
    return `interface name is longer than ${INTERFACE_NAME_BYTES} bytes`;
  if (text === "." || text === "..") return "interface name is . or ..";
  if (/[/:\s]/.test(text)) return "interface name contains / or : or whitespace characters";
  if (text.includes("%")) return "interface name contains %";
  return undefined;
}

/** Checks the name of a network (specification, "Configuration format"). Code 7. */
export function parseNetworkName(text: unknown): NetworkName {
  if (typeof text === "string" && NAME.test(text)) return text as NetworkName;
  const given =
    text === undefined || text === "" ? "missing network name" : `invalid network name ${show(text)}`;
  throw new CniError(ErrorCode.InvalidConfig, given, `"name" is the network's name. ${NAME_EXPECTED}`);
}

/** Whether a plugin's type can be the name of an executable in CNI_PATH: no directory in it. */
export function isPluginType(text: string): boolean {
  return !/^\.{0,2}$|[/\\\0]/.test(text);
}

/** Checks a plugin's type. Code 7. */
export function parsePluginType(text: unknown): string {
  if (typeof text === "string" && isPluginType(text)) return text;
  const given =
    text === undefined || text === "" ? "missing plugin type" : `invalid plugin type ${show(text)}`;
  const details = `"type" is the name of an executable in CNI_PATH, without a directory.`;
  throw new CniError(ErrorCode.InvalidConfig, given, details);
}

function utf8Length(text: string): number {
  let length = 0;
  for (const character of text) {
    const code = character.codePointAt(0)!;
    length += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  }
  return length;
}
