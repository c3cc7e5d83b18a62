import { isObject, type JsonObject } from "../spec/json.ts";
import { anything, integer, object, optional, type Schema, string, unexpected } from "../spec/schema.ts";
import { idFields, netnsPath, wishSchema } from "./call.ts";
import type { Identity } from "./container-interface.ts";
import type { AttachmentId, Wish } from "./protocol.ts";
import { readSettings, settingsJson } from "./settings.ts";
import type { Lease } from "./source.ts";

/** By address family. */
export type Leases = { readonly [family in 4 | 6]?: Lease | undefined };

/** What outlives the daemon of an attachment. */
export interface Record {
  readonly id: AttachmentId;
  /** The path as the plugin's host sees it. */
  readonly netns: string;
  readonly identity: Identity;
  readonly wish: Wish;
  readonly leases: Leases;
}

/** A record of another format than ours. */
const FORMAT = 1;

/** A record as JSON; `boot` names the machine's run, on whose clock the times are. */
export function recordJson({ id, netns, identity, wish, leases }: Record, boot: string): JsonObject {
  const { containerId, network, ifName } = id;
  return {
    format: FORMAT,
    boot,
    ...{ containerId, network, ifName, netns, identity, wish },
    leases: { 4: leases[4] && leaseJson(leases[4]), 6: leases[6] && leaseJson(leases[6]) },
  };
}

/** Reads a record; undefined if it is of another run of the machine. Throws if it is none. */
export function readRecord(json: unknown, boot: string): Record | undefined {
  const head = object({ format: integer(FORMAT, FORMAT), boot: string() }).parse(json, "");
  if (head.boot !== boot) return undefined;
  const { netns, identity, wish, leases, ...id } = object({
    ...idFields(),
    netns: netnsPath(),
    identity: object({ netns: integer(1), link: integer(1) }),
    wish: wishSchema(),
    leases: object({ 4: optional(lease()), 6: optional(lease()) }),
  }).parse(json, "");
  return { id, netns, identity, wish, leases };
}

/** Infinity becomes null in JSON. */
function leaseJson({ settings, renewAt, expiresAt, memory }: Lease): JsonObject {
  return {
    settings: settingsJson(settings),
    renewAt: Math.round(renewAt),
    expiresAt: Math.round(expiresAt),
    memory,
  };
}

function lease(): Schema<Lease> {
  const time = optional(integer(), Number.POSITIVE_INFINITY);
  const fields = object({ settings: anyObject(), renewAt: time, expiresAt: time, memory: anyObject() });
  return {
    shape: fields.shape,
    parse(value, path) {
      const { settings, ...others } = fields.parse(value, path);
      return { settings: readSettings(settings), ...others };
    },
  };
}

function anyObject(): Schema<JsonObject> {
  return {
    shape: anything().shape,
    parse(value, path) {
      if (isObject(value)) return value;
      throw unexpected(path, "an object", value);
    },
  };
}
