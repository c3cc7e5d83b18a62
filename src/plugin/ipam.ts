import { CniError, ErrorCode } from "../spec/errors.ts";
import { isObject, member } from "../spec/json.ts";
import { parsePluginType } from "../spec/names.ts";
import type { Result } from "../spec/result.ts";
import { readResult } from "../spec/results/index.ts";
import { unexpected } from "../spec/schema.ts";
import { CleanupList } from "./cleanup.ts";
import type { Plugin, Registry, Verbs } from "./define.ts";
import { execPlugin, findExecutable, isOurself, readOutput } from "./exec.ts";
import type { AnyRequest } from "./request.ts";
import type { Releases, Undo } from "./types.ts";
import { UndoList } from "./undo.ts";

/** The methods that a request's `ipam` has, one for each verb. */
export interface Ipam {
  readonly type: string;
  /** Whether it runs in this process. */
  readonly isOurs: boolean;
  readonly releases: Releases;
  add(undo: Undo): Result;
  check(): void;
  del(): void;
  status(): void;
  gc(): void;
}

export interface IpamContext {
  readonly request: AnyRequest;
  readonly verb: keyof Verbs<unknown>;
  /** The configuration as it was read from stdin. */
  readonly stdin: string;
  readonly registry: Registry;
}

/**
 * The IPAM plugin that the configuration names, ready to be called; undefined if it names none. It runs in this
 * process if it is one of ours and CNI_PATH leads to this very executable (or nowhere), else as a program.
 */
export async function prepareIpam(context: IpamContext): Promise<Ipam | undefined> {
  const { request, registry } = context;
  const type = ipamType(request);
  if (type === undefined) return undefined;
  const file = findExecutable(request.host, type, request.path);
  const own = file === undefined || isOurself(request.host, file) ? await registry(type) : undefined;
  if (own === undefined) return asProgram(context, type, file);
  if (own.sandbox === "none") return inProcess(context, own);
  throw new CniError(
    ErrorCode.InvalidConfig,
    `plugin ${type} gives no addresses`,
    '"ipam" names a plugin that does, such as host-local or static.',
  );
}

/** `ipam.type`; undefined where there is no `ipam`, or an empty one. Code 7 for anything else. */
function ipamType({ rawConfig }: AnyRequest): string | undefined {
  const section = member(rawConfig, "ipam");
  if (section === undefined) return undefined;
  if (!isObject(section)) throw unexpected("ipam", "an object", section);
  const type = member(section, "type") ?? "";
  return type === "" ? undefined : parsePluginType(type);
}

/** Calls the plugin's functions directly, with the whole configuration, as it would get it on stdin. */
async function inProcess({ request, verb }: IpamContext, plugin: Plugin): Promise<Ipam> {
  const work = await plugin.load(verb, request);
  const configured = (): AnyRequest => ({ ...request, config: plugin.config.parse(request.rawConfig, "") });
  const cleaned = (step: Verbs<unknown>["del"] | Verbs<unknown>["gc"] | undefined) => {
    const cleanup = new CleanupList();
    step?.(configured(), cleanup);
    cleanup.finish();
  };
  return {
    type: plugin.type,
    isOurs: true,
    releases: plugin.releases,
    add(undo) {
      const own = new UndoList();
      try {
        const result = (work as Verbs<unknown>["add"])(configured(), own) ?? {};
        undo.add(`release the addresses of ${plugin.type}`, async () =>
          cleaned(await plugin.load("del", request)),
        );
        return result;
      } catch (error) {
        undo.add(`undo the addresses of ${plugin.type}`, () => own.runOrThrow());
        throw error;
      }
    },
    check: () => (work as Verbs<unknown>["check"] | undefined)?.(configured()),
    del: () => cleaned(work as Verbs<unknown>["del"] | undefined),
    status: () => (work as Verbs<unknown>["status"] | undefined)?.(configured()),
    gc: () => cleaned(work as Verbs<unknown>["gc"] | undefined),
  };
}

function asProgram({ request, stdin }: IpamContext, type: string, file: string | undefined): Ipam {
  const { host, path, cniVersion } = request;
  const run = (command: string): string => {
    if (file === undefined) throw missingPlugin(type, path);
    return execPlugin(host, { type, file, command, stdin });
  };
  return {
    type,
    isOurs: false,
    // A program cannot be asked.
    releases: type === "dhcp" ? "first" : "last",
    add(undo) {
      if (file !== undefined) {
        // Before the call: the specification wants DEL for an ADD that failed too.
        undo.add(`release the addresses of ${type}`, () => void run("DEL"));
      }
      return leaseOf(type, cniVersion, readOutput(type, run("ADD")));
    },
    check: () => void run("CHECK"),
    del: () => void run("DEL"),
    status: () => void run("STATUS"),
    gc: () => void run("GC"),
  };
}

/** A delegate's result, without what an IPAM plugin has no say in (specification, section 5, "Delegated plugins"). */
function leaseOf(type: string, cniVersion: string, output: unknown): Result {
  try {
    const { ips, routes, dns } = readResult(output, cniVersion);
    return { ips: ips?.map(({ interface: _, ...ip }) => ip), routes, dns };
  } catch (error) {
    if (!(error instanceof CniError)) throw error;
    const { code, message, details } = error;
    throw new CniError(code, `plugin ${type} printed no result: ${message}`, details, { cause: error });
  }
}

/** Code 7: a type that leads to no executable. */
function missingPlugin(type: string, path: readonly string[]): CniError {
  const searched = path.length > 0 ? `CNI_PATH: ${path.join(", ")}` : "CNI_PATH, which is empty";
  return new CniError(
    ErrorCode.InvalidConfig,
    `plugin ${type} not found`,
    `There is no file "${type}" in the directories of ${searched}. Install it, or correct "type".`,
  );
}
