import { type Ip, parseIp } from "../../address/ip.ts";
import { CniError } from "../../spec/errors.ts";
import { isObject, type JsonObject } from "../../spec/json.ts";
import type { Fact } from "../ra/facts.ts";
import { readSettings, settingsJson } from "../settings.ts";
import type { Lease } from "../source.ts";

/** What the IPv6 source must know to go on in another process. */
export interface Memory {
  /** Of the interface, when the addresses were made. */
  readonly linkLocal?: Ip | undefined;
  /** The link's MTU before routers lowered it. */
  readonly mtuLimit?: number | undefined;
  readonly facts: readonly Fact[];
  /** What DHCPv6 gave. */
  readonly leased?: Lease | undefined;
}

/** As JSON, where null is what becomes of Infinity. `server` is for operators. */
export function memoryJson({ linkLocal, mtuLimit, facts, leased }: Memory): JsonObject {
  const routers = facts.map(({ router }) => router);
  return {
    server: leased?.memory["server"] ?? [...new Set(routers)].join(", "),
    linkLocal: linkLocal && `${linkLocal}`,
    mtuLimit,
    facts,
    leased: leased && { ...leased, settings: settingsJson(leased.settings) },
  };
}

/** What cannot be read is left out: the routers will say it again. */
export function readMemory({ linkLocal, mtuLimit, facts, leased }: JsonObject): Memory {
  return {
    linkLocal: typeof linkLocal === "string" ? parseIp(linkLocal) : undefined,
    mtuLimit: typeof mtuLimit === "number" ? mtuLimit : undefined,
    facts: Array.isArray(facts) ? facts.filter(isFact).map(readFact) : [],
    leased: isObject(leased) ? readLease(leased) : undefined,
  };
}

function isFact(value: unknown): value is Fact {
  return isObject(value) && typeof value["kind"] === "string" && typeof value["value"] === "string";
}

function readFact(fact: Fact): Fact {
  return { ...fact, until: time(fact.until) };
}

function readLease({ settings, renewAt, expiresAt, memory }: JsonObject): Lease | undefined {
  if (!isObject(settings) || !isObject(memory)) return undefined;
  try {
    return { settings: readSettings(settings), renewAt: time(renewAt), expiresAt: time(expiresAt), memory };
  } catch (error) {
    if (error instanceof CniError) return undefined;
    throw error;
  }
}

function time(value: unknown): number {
  return typeof value === "number" ? value : Number.POSITIVE_INFINITY;
}
