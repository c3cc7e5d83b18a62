import type { JsonObject } from "../json.ts";
import type { Interface, Result, Route } from "../result.ts";
import { decode, encodeAs, type ResultJson, type RouteJson } from "./v110.ts";

// 1.0.0 has no mtu, socketPath and pciID of interfaces; its routes have dst and gw only. Decoding takes them
// nevertheless: plugins send them in 1.0.0 too.
export { decode };

export function encode(result: Result): ResultJson {
  return encodeAs("1.0.0", result, interfaceJson, routeJson);
}

function interfaceJson({ name, mac, sandbox }: Interface): JsonObject {
  return { name, ...(mac && { mac }), ...(sandbox && { sandbox }) };
}

function routeJson({ dst, gw }: Route): RouteJson {
  return { dst: dst.toString(), ...(gw && { gw: gw.toString() }) };
}
