import type { Attachment } from "../runtime/chain.ts";
import type { JsonObject } from "../spec/json.ts";
import type { Dns, Interface, IpConfig, Result, Route } from "../spec/result.ts";
import { resultCodec, resultVersion } from "../spec/results/index.ts";

/** A result in both forms: to work with, and as JSON in the members and order of its version. */
export interface ReadResult {
  readonly result: Result;
  readonly json: string;
}

/** Reads what a runtime gives. The JSON is indented as cnitool indents it. */
export async function readResult(raw: JsonObject): Promise<ReadResult> {
  const codec = resultCodec(resultVersion(raw, "1.1.0"));
  const result = codec.decode(raw);
  return { result, json: JSON.stringify(codec.encode(result), null, 4) };
}

/** An attachment and its result for people. */
export function resultText(
  network: string,
  { containerId, netns, ifName }: Attachment,
  result: Result,
): string {
  const { interfaces = [], ips = [], routes = [], dns = {} } = result;
  const rows: [string, string][] = [
    ...ips.map((ip): [string, string] => ["address", addressText(ip, interfaces)]),
    ...routes.map((route): [string, string] => ["route", routeText(route)]),
    ...dnsRows(dns),
    ...interfaces.map((item): [string, string] => ["interface", interfaceText(item)]),
    ["container", containerId],
  ];
  const lines = rows.map(([name, value]) => `  ${name.padEnd(9)}  ${value}`);
  return [`${ifName} in ${netns} is on network ${network}`, ...lines, ""].join("\n");
}

function addressText(
  { address, gateway, interface: index }: IpConfig,
  interfaces: readonly Interface[],
): string {
  const name = index === undefined ? undefined : interfaces[index]?.name;
  return `${address}${gateway ? ` gateway ${gateway}` : ""}${name ? ` on ${name}` : ""}`;
}

function routeText({ dst, gw, ...more }: Route): string {
  const rest = Object.entries(more).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name} ${value}`],
  );
  return [`${dst}`, ...(gw ? [`via ${gw}`] : []), ...rest].join(" ");
}

function dnsRows({ nameservers = [], domain, search = [], options = [] }: Dns): [string, string][] {
  const rows: [string, readonly string[]][] = [
    ["dns", nameservers],
    ["domain", domain ? [domain] : []],
    ["search", search],
    ["options", options],
  ];
  return rows.filter(([, values]) => values.length > 0).map(([name, values]) => [name, values.join(" ")]);
}

function interfaceText({ name, mac, mtu, sandbox }: Interface): string {
  const where = sandbox ? "in the container" : "on the host";
  return [name, ...(mac ? [mac] : []), ...(mtu ? [`mtu ${mtu}`] : []), where].join(" ");
}
