import type { AddRequest, CheckRequest } from "../../plugin/types.ts";
import { checkArgs } from "../../spec/args.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import type { Result } from "../../spec/result.ts";
import { KNOWN_ARGS, wishedMac } from "../wished-mac.ts";
import type { TuningConfig } from "./config.ts";
import { hasDuplicateSysctl } from "./duplicates.ts";
import type { Settings } from "./settings.ts";
import { type Sysctl, sysctlName } from "./sysctl.ts";

/** What is to be set: the configuration with what CNI_ARGS, `runtimeConfig` and `args.cni` put in its place. */
export interface Wish {
  readonly settings: Settings;
  readonly sysctls: readonly Sysctl[];
}

/** Code 4 for wrong CNI_ARGS, 7 for a sysctl that is none or has two values. */
export function wishOf(request: AddRequest<TuningConfig> | CheckRequest<TuningConfig>): Wish {
  const { config, args, ifName, stdin } = request;
  checkArgs(args, KNOWN_ARGS);
  const asked = config.args?.cni;
  const { promisc = config.promisc, mtu = config.mtu, allmulti = config.allmulti } = asked ?? {};
  return {
    settings: {
      mac: asked?.mac ?? wishedMac(config, args) ?? config.mac,
      mtu: mtu || undefined,
      // Only to switch it on is a wish.
      promisc: promisc || undefined,
      allmulti,
      txQLen: asked?.txQLen ?? config.txQLen,
    },
    sysctls: sysctlsOf(config, ifName, stdin),
  };
}

/** Those of `args.cni` win. */
export function sysctlsOf(config: TuningConfig, ifName: string, stdin: string): Sysctl[] {
  const sysctls = new Map<string, Sysctl>();
  if (config.sysctl && hasDuplicateSysctl(stdin)) throw duplicated();
  for (const given of [config.sysctl ?? {}, config.args?.cni?.sysctl ?? {}]) {
    const names = new Set<string>();
    for (const [key, value] of Object.entries(given)) {
      const name = sysctlName(key, ifName);
      if (names.has(name)) throw duplicated(key);
      names.add(name);
      sysctls.set(name, { key, name, value });
    }
  }
  return [...sysctls.values()];
}

function duplicated(key?: string): CniError {
  const details = key === undefined ? "" : `${key} is there in another spelling too.`;
  return new CniError(ErrorCode.InvalidConfig, "duplicated sysctl keys are not allowed", details);
}

/** The result of the plugins before. Code 7 if there is none. */
export function requirePrevResult({ prevResult }: { readonly prevResult?: Result }): Result {
  if (prevResult) return prevResult;
  throw new CniError(
    ErrorCode.InvalidConfig,
    "Required prevResult missing",
    "tuning changes an interface that a plugin before it has made: put it behind that one in the list.",
  );
}
