/**
 * What the author of a plugin imports. A module that exports
 *
 *     export const main = () => runAs(definePlugin({ type: "mine", config: object({}), add, del }));
 *
 * becomes an executable by `node native/build.mjs --entry mine.ts --out mine`.
 */
import { table } from "../host/engine.ts";
import { Host } from "../host/host.ts";
import type { Plugin, Registry } from "./define.ts";
import { runPlugin } from "./run.ts";

/** Acts as the executable of a plugin, and gives its exit code. IPAM plugins that `others` has run in this process. */
export function runAs(plugin: Plugin, others: Registry = async () => undefined): Promise<number> {
  return runPlugin(new Host(table()), plugin, others);
}

export { CniError, ErrorCode } from "../spec/errors.ts";
export type { Dns, Interface, IpConfig, Result, Route } from "../spec/result.ts";
export * from "../spec/schema.ts";
export { definePlugin, type Plugin, type PluginDefinition } from "./define.ts";
export { delAndRelease, gcAndRelease } from "./release.ts";
export type {
  AddRequest,
  Attachment,
  CheckRequest,
  Cleanup,
  DelRequest,
  GcRequest,
  StatusRequest,
  Undo,
} from "./types.ts";
