import type { Host } from "../host/host.ts";
import { type JsonObject, member } from "../spec/json.ts";

/** What a call is about, as far as it is known. */
export interface CallPlace {
  readonly command: string;
  readonly containerId?: string | undefined;
  readonly ifName?: string | undefined;
  readonly network?: string | undefined;
}

/** In words: `ADD of eth0 of c1 to network net`. */
export function placeText({ command, containerId, ifName, network }: CallPlace): string {
  const link = command === "ADD" ? "to" : command === "DEL" ? "from" : ifName ? "on" : "of";
  const whose = containerId ? `${ifName ? ` of ${ifName}` : ""} of ${containerId}` : "";
  return `${command}${whose}${network ? ` ${link} network ${network}` : ""}`;
}

/** What a call is about, by what has been read of it so far. */
export function placeOfCall(host: Host, config: JsonObject | undefined): CallPlace {
  const network = config && member(config, "name");
  return {
    command: host.variable("CNI_COMMAND") ?? "",
    containerId: host.variable("CNI_CONTAINERID"),
    ifName: host.variable("CNI_IFNAME"),
    network: typeof network === "string" ? network : undefined,
  };
}
