import { CniError, ErrorCode } from "../spec/errors.ts";
import { type JsonObject, show } from "../spec/json.ts";
import {
  array,
  boolean,
  integer,
  object,
  oneOf,
  optional,
  type Schema,
  string,
  unexpected,
} from "../spec/schema.ts";
import type { Call, Wish } from "./protocol.ts";

/** Reads what a plugin asks of the daemon. Code 6 names what is wrong with it. */
export function readCall(line: string): Call {
  try {
    const json = JSON.parse(line) as JsonObject;
    const { command } = object({ command: string() }).parse(json, "");
    return { command, ...fieldsOf(command).parse(json, "") } as Call;
  } catch (error) {
    if (error instanceof CniError) throw malformed(error.message.replace("invalid configuration: ", ""));
    throw malformed(`${error instanceof Error ? error.message : error}: ${show(line)}`);
  }
}

export function malformed(problem: string): CniError {
  return new CniError(
    ErrorCode.Decoding,
    `malformed request to the DHCP daemon: ${problem}`,
    "Are plugin and daemon of the same version?",
  );
}

function fieldsOf(command: string): Schema<object> {
  switch (command) {
    case "ADD":
      return object({ ...idFields(), netns: netnsPath(), wish: wishSchema() });
    case "CHECK":
    case "DEL":
      return object(idFields());
    case "GC": {
      const valid = object({ containerId: name(), ifName: name() });
      return object({ network: name(), validAttachments: array(valid) });
    }
    case "STATUS":
    case "LIST":
      return object({});
    default:
      throw unexpected("command", "one of ADD, CHECK, DEL, GC, STATUS, LIST", command);
  }
}

/** What an AttachmentId consists of. */
export function idFields() {
  return { containerId: name(), network: name(), ifName: name() };
}

export function netnsPath(): Schema<string> {
  return string({ pattern: /^\//, expected: "the absolute path of a namespace" });
}

export function wishSchema(): Schema<Wish> {
  const wish = object({
    ipv4: oneOf("dhcp", "none"),
    ipv6: oneOf("none", "dhcp", "slaac", "auto"),
    request: array(integer(1, 254)),
    provide: array(providedOption()),
    priority: optional(integer(0)),
    broadcast: boolean(),
    mtu: boolean(),
  });
  const parse = (value: unknown, path: string) => {
    const it = wish.parse(value, path);
    if (it.ipv4 === "none" && it.ipv6 === "none") throw unexpected(path, "a family to be wished for", value);
    return it;
  };
  return { shape: wish.shape, parse };
}

function name(): Schema<string> {
  return string({ pattern: /./, expected: "a name" });
}

function providedOption(): Schema<readonly [code: number, value: string]> {
  return {
    shape: { kind: "anything" },
    parse(value, path) {
      if (!Array.isArray(value) || value.length !== 2)
        throw unexpected(path, "an option's code and its value", value);
      return [integer(1, 254).parse(value[0], `${path}[0]`), string().parse(value[1], `${path}[1]`)];
    },
  };
}
