import { CniError, ErrorCode } from "../errors.ts";
import { dns, route } from "../fields.ts";
import type { JsonObject } from "../json.ts";
import type { Dns, Interface, IpConfig, Result, Route } from "../result.ts";
import { array, cidr, integer, ip, object, optional, type Schema, string } from "../schema.ts";

/** A result as JSON. Members that are empty are left out. */
export interface ResultJson {
  readonly cniVersion: string;
  readonly interfaces?: readonly JsonObject[];
  readonly ips?: readonly AddressJson[];
  readonly routes?: readonly RouteJson[];
  readonly dns?: Dns;
}

export interface AddressJson {
  readonly address: string;
  readonly gateway?: string;
  readonly interface?: number;
}

export interface RouteJson {
  readonly dst: string;
  readonly gw?: string;
}

/** Reads a result of 1.1.0; `{}`, `null` and nothing are the empty result. Code 6 names what is wrong. */
export function decode(json: unknown): Result {
  return decodeAs(resultSchema(), json);
}

export function encode(result: Result): ResultJson {
  return encodeAs("1.1.0", result, interfaceJson, routeJson);
}

/** Reads JSON that came as a result in the given shape. */
export function decodeAs<T>(schema: Schema<T>, json: unknown): T {
  try {
    return schema.parse(json ?? {}, "result");
  } catch (error) {
    if (!(error instanceof CniError)) throw error;
    throw new CniError(ErrorCode.Decoding, error.message.replace("configuration: ", ""), error.details);
  }
}

/** Writes what all versions from 1.0.0 have in common; interfaces and routes are the version's own. */
export function encodeAs(
  cniVersion: string,
  { interfaces = [], ips = [], routes = [], dns = {} }: Result,
  interfaceOf: (item: Interface) => JsonObject,
  routeOf: (item: Route) => RouteJson,
): ResultJson {
  const dnsOut = dnsJson(dns);
  return {
    cniVersion,
    ...(interfaces.length > 0 && { interfaces: interfaces.map(interfaceOf) }),
    ...(ips.length > 0 && { ips: ips.map(addressJson) }),
    ...(routes.length > 0 && { routes: routes.map(routeOf) }),
    ...(Object.keys(dnsOut).length > 0 && { dns: dnsOut }),
  };
}

function resultSchema(): Schema<Result> {
  return object({
    interfaces: optional(array(interfaceSchema())),
    ips: optional(array(addressSchema())),
    routes: optional(array(route())),
    dns: optional(dns()),
  });
}

function interfaceSchema(): Schema<Interface> {
  return object({
    name: optional(string(), ""),
    mac: optional(string()),
    mtu: optional(integer(0)),
    sandbox: optional(string()),
    socketPath: optional(string()),
    pciID: optional(string()),
  });
}

function addressSchema(): Schema<IpConfig> {
  return object({ address: cidr(), gateway: optional(ip()), interface: optional(integer(0)) });
}

function interfaceJson({ name, mac, mtu, sandbox, socketPath, pciID }: Interface): JsonObject {
  return {
    name,
    ...(mac && { mac }),
    ...(mtu && { mtu }),
    ...(sandbox && { sandbox }),
    ...(socketPath && { socketPath }),
    ...(pciID && { pciID }),
  };
}

function addressJson({ address, gateway, interface: index }: IpConfig): AddressJson {
  return {
    ...(index !== undefined && { interface: index }),
    address: address.toString(),
    ...(gateway && { gateway: gateway.toString() }),
  };
}

function routeJson({ dst, gw, mtu, advmss, priority, table, scope }: Route): RouteJson & JsonObject {
  return {
    dst: dst.toString(),
    ...(gw && { gw: gw.toString() }),
    ...(mtu && { mtu }),
    ...(advmss && { advmss }),
    ...(priority && { priority }),
    ...(table !== undefined && { table }),
    ...(scope !== undefined && { scope }),
  };
}

function dnsJson({ nameservers = [], domain, search = [], options = [] }: Dns): Dns {
  return {
    ...(nameservers.length > 0 && { nameservers }),
    ...(domain && { domain }),
    ...(search.length > 0 && { search }),
    ...(options.length > 0 && { options }),
  };
}
