import type { Result } from "../spec/result.ts";
import type { Schema } from "../spec/schema.ts";
import { type CniVersion, VERSIONS } from "../spec/versions.ts";
import type {
  AddRequest,
  CheckRequest,
  Cleanup,
  DelRequest,
  GcRequest,
  Releases,
  StatusRequest,
  Undo,
} from "./types.ts";

/** What a plugin does. All but `add` may be left out: then there is nothing to do. */
export interface Verbs<C> {
  /**
   * Creates or changes the interface and says what came of it; nothing means: what the plugin before said. What it has
   * made is undone by `undo` if it throws, or if its result cannot be told.
   */
  add(request: AddRequest<C>, undo: Undo): Result | undefined;
  /** Throws if something of what `add` made is missing or changed. */
  check(request: CheckRequest<C>): void;
  /** Removes what `add` made. What is already gone counts as removed. */
  del(request: DelRequest<C>, cleanup: Cleanup): void;
  /** Throws if an ADD could not succeed now. */
  status(request: StatusRequest<C>): void;
  /** Removes what belongs to attachments that are not valid any more. */
  gc(request: GcRequest<C>, cleanup: Cleanup): void;
}

export interface Plugin<C = unknown> {
  /** The name of the executable, and `type` in a configuration. */
  readonly type: string;
  readonly config: Schema<C>;
  readonly versions: readonly CniVersion[];
  /** "none" for IPAM plugins, which look at no namespace. */
  readonly sandbox: "netns" | "none";
  readonly releases: Releases;
  /** What it tells besides its name when somebody calls it by hand; a line without its end. */
  readonly introduction: string;
  /** Gives the function that answers the request, undefined if the plugin has none for the verb. */
  load<V extends keyof Verbs<C>>(verb: V, request: RequestOf<C, V>): Promise<Verbs<C>[V] | undefined>;
}

/** A module that exports the function for a verb, imported when it is needed. The request may tell which module it is. */
export type LazyVerbs<C> = {
  readonly [V in keyof Verbs<C>]?: (request: RequestOf<C, V>) => Promise<Pick<Verbs<C>, V>>;
};

type RequestOf<C, V extends keyof Verbs<C>> = Parameters<Verbs<C>[V]>[0];

export interface PluginDefinition<C> extends Partial<Verbs<C>> {
  readonly type: string;
  readonly config: Schema<C>;
  readonly versions?: readonly CniVersion[];
  readonly sandbox?: "netns" | "none";
  readonly releases?: Releases;
  readonly introduction?: string;
  /** Verbs in modules of their own, so that a call does not load the others. */
  readonly lazy?: LazyVerbs<C>;
}

/** A plugin, from its functions. See `runPlugin` for what happens around them. */
export function definePlugin<C>(definition: PluginDefinition<C>): Plugin<C> {
  const { type, config, versions = VERSIONS, sandbox = "netns", releases = "last" } = definition;
  const { introduction = "", lazy = {} } = definition;
  return {
    type,
    config,
    versions,
    sandbox,
    releases,
    introduction,
    async load(verb, request) {
      return (definition as Partial<Verbs<C>>)[verb] ?? (await lazy[verb]?.(request))?.[verb];
    },
  };
}

/** Finds a plugin of this executable by its type; undefined if it has none of that type. */
export type Registry = (type: string) => Promise<Plugin | undefined>;
