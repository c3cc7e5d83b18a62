import type { Ip } from "../../address/ip.ts";
import { CniError, ErrorCode } from "../errors.ts";
import { show } from "../json.ts";
import { array, integer, ip, object, optional, type Schema, string, unexpected } from "../schema.ts";

/** A port of the host that leads to a port of the container. */
export interface PortMapping {
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: "tcp" | "udp" | "sctp";
  /** The host's address to listen on; absent for all of them. */
  readonly hostIP?: Ip | undefined;
}

/** The capability `portMappings`. Code 7 for ports outside 1-65535 and other protocols than TCP, UDP and SCTP. */
export function portMappings(): Schema<readonly PortMapping[]> {
  return array(
    object({
      hostPort: port("host"),
      containerPort: port("container"),
      protocol: protocol(),
      hostIP: optional(ip()),
    }),
  );
}

function port(side: "host" | "container"): Schema<number> {
  const { shape, parse } = integer(1, 0xffff);
  return {
    shape,
    parse(value, path) {
      // An absent port reads as 0.
      const number = value ?? 0;
      if (typeof number !== "number") return parse(number, path);
      if (Number.isInteger(number) && number >= 1 && number <= 0xffff) return number;
      throw new CniError(
        ErrorCode.InvalidConfig,
        `Invalid ${side} port number: ${show(number)}`,
        `${path} is 1 to 65535.`,
      );
    },
  };
}

/** In any case, as the reference takes it; TCP if there is none. */
function protocol(): Schema<PortMapping["protocol"]> {
  return {
    shape: optional(string(), "tcp").shape,
    parse(value, path) {
      const name = typeof value === "string" ? value.toLowerCase() : (value ?? "");
      if (name === "") return "tcp";
      if (name === "tcp" || name === "udp" || name === "sctp") return name;
      throw unexpected(path, `one of "tcp", "udp", "sctp"`, value);
    },
  };
}
