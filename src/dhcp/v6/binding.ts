import { hostCidr } from "../../address/cidr.ts";
import { type Ip, parseIp } from "../../address/ip.ts";
import type { JsonObject } from "../../spec/json.ts";
import type { Dns } from "../../spec/result.ts";
import type { Lease } from "../source.ts";
import type { Grant } from "./answer.ts";

/** An address that a server gave. Times on the scheduler's clock. */
export interface Binding {
  readonly address: Ip;
  /** The server's DUID. */
  readonly server: Uint8Array;
  /** T1, T2. */
  readonly renewAt: number;
  readonly rebindAt: number;
  readonly expiresAt: number;
}

/** From now on. */
export function bindingFrom(
  { address, renew, rebind, valid }: Grant,
  server: Uint8Array,
  now: number,
): Binding {
  return { address, server, renewAt: now + renew, rebindAt: now + rebind, expiresAt: now + valid };
}

export function leaseOf(binding: Binding, dns: Dns | undefined): Lease {
  const { address, server, renewAt, rebindAt, expiresAt } = binding;
  return {
    settings: { ips: [{ address: hostCidr(address) }], dns },
    renewAt,
    expiresAt,
    memory: { address: `${address}`, server: hexOf(server), renewAt, rebindAt, expiresAt },
  };
}

/** Undefined if the memory is of something else. */
export function bindingOf(memory: JsonObject): Binding | undefined {
  const { address: text, server } = memory as Record<"address" | "server", unknown>;
  const address = typeof text === "string" ? parseIp(text) : undefined;
  if (address?.family !== 6 || typeof server !== "string") return undefined;
  // JSON has no Infinity: it comes back as null.
  const time = (name: string) => {
    const value = memory[name];
    return typeof value === "number" ? value : Number.POSITIVE_INFINITY;
  };
  return {
    address,
    server: Uint8Array.from(server.match(/../g) ?? [], (digits) => Number.parseInt(digits, 16)),
    renewAt: time("renewAt"),
    rebindAt: time("rebindAt"),
    expiresAt: time("expiresAt"),
  };
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
