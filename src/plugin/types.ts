import type { Host } from "../host/host.ts";
import type { Namespace } from "../net/namespace.ts";
import type { JsonObject } from "../spec/json.ts";
import type { Result } from "../spec/result.ts";

/** What a plugin is told at every verb. `C` is the plugin's own configuration, checked by its schema. */
export interface Call<C> {
  readonly host: Host;
  readonly config: C;
  /** The configuration as it came on stdin, unknown keys included. */
  readonly rawConfig: JsonObject;
  /** The text of `rawConfig`. */
  readonly stdin: string;
  readonly cniVersion: string;
  /** The network's name. */
  readonly network: string;
  /** The namespace that this process runs in. */
  readonly hostNetns: Namespace;
  /** The directories of CNI_PATH. */
  readonly path: readonly string[];
  /** Tells the operator what he should know although the call succeeds: a line in the log, and on stderr. */
  readonly warn: (text: string) => void;
}

/** One container's interface on one network. */
export interface Attachment {
  readonly containerId: string;
  readonly ifName: string;
}

/**
 * When an IPAM plugin is to give addresses back: "last", behind the interface, so that nobody else gets them before; or
 * "first", because it says so to somebody through the interface.
 */
export type Releases = "first" | "last";

interface AttachmentCall<C> extends Call<C>, Attachment {
  /** CNI_ARGS, IgnoreUnknown among them. */
  readonly args: ReadonlyMap<string, string>;
}

export interface AddRequest<C> extends AttachmentCall<C> {
  /** The container's network namespace. */
  readonly netns: Namespace;
  readonly prevResult?: Result;
  /** The plugin that `ipam.type` names; absent if none is named. */
  readonly ipam?: {
    readonly releases: Releases;
    /** Addresses, routes and DNS; they are given back if ADD fails later. */
    add(undo: Undo): Result;
  };
}

export interface CheckRequest<C> extends AttachmentCall<C> {
  readonly netns: Namespace;
  /** What ADD gave in the end. */
  readonly prevResult?: Result;
  readonly ipam?: { check(): void };
}

export interface DelRequest<C> extends AttachmentCall<C> {
  /** Absent when CNI_NETNS is empty or the namespace is gone. */
  readonly netns?: Namespace;
  readonly prevResult?: Result;
  readonly ipam?: { readonly releases: Releases; del(): void };
}

export interface StatusRequest<C> extends Call<C> {
  readonly ipam?: { status(): void };
}

export interface GcRequest<C> extends Call<C> {
  /** What must stay; all else that the plugin owns in this network goes. */
  readonly validAttachments: readonly Attachment[];
  readonly ipam?: { readonly releases: Releases; gc(): void };
}

/** Steps that undo a half-done ADD, newest first. */
export interface Undo {
  /** Remembers to call `thing.remove()` if ADD fails later, and gives the thing back. */
  keep<T extends { remove(): void }>(thing: T): T;
  /** The same for a function. `what` completes "cannot …": `remove the bridge`. */
  add(what: string, step: () => void | Promise<void>): void;
}

/** Steps of DEL and GC: each is tried, and all errors are reported at the end. */
export interface Cleanup {
  /** `what` completes "cannot …": `release the addresses`. */
  step(what: string, step: () => void): void;
}
