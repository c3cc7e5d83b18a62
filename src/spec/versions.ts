import { CniError, ErrorCode } from "./errors.ts";
import { show } from "./json.ts";

/** The versions of the specification that are spoken here, oldest first. */
export const VERSIONS = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"] as const;

export type CniVersion = (typeof VERSIONS)[number];

export const NEWEST_VERSION = "1.1.0";

/** What a configuration without `cniVersion` means. */
export const DEFAULT_VERSION = "0.1.0";

export function isSupported(version: string): version is CniVersion {
  return VERSIONS.includes(version as CniVersion);
}

/** Below 0, 0, above 0: the order of versions. Code 7 if one is no version. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [parts(a), parts(b)];
  return left[0]! - right[0]! || left[1]! - right[1]! || left[2]! - right[2]!;
}

/** Whether a version is `minimum` or newer. Code 7 if it is no version. */
export function isAtLeast(version: string, minimum: CniVersion): boolean {
  return isSupported(version)
    ? VERSIONS.indexOf(version) >= VERSIONS.indexOf(minimum)
    : compareVersions(version, minimum) >= 0;
}

/**
 * The version a network is run with: the newest supported one of `cniVersion` and `cniVersions` (specification,
 * "Configuration format"). Code 7 if an entry is no version, code 1 if none is supported.
 */
export function pickVersion(cniVersion: string | undefined, cniVersions: readonly string[] = []): CniVersion {
  const offered = cniVersion === undefined && cniVersions.length > 0 ? [] : [cniVersion || DEFAULT_VERSION];
  const sorted = [...offered, ...cniVersions].sort(compareVersions);
  const newest = sorted.findLast(isSupported);
  if (newest === undefined) throw incompatibleVersion(sorted.join(", "), VERSIONS, "runtime");
  return newest as CniVersion;
}

/** Code 1: the configuration wants a version that is not among `supported`. */
export function incompatibleVersion(
  version: string,
  supported: readonly string[] = VERSIONS,
  who: "plugin" | "runtime" = "plugin",
): CniError {
  const list = supported.map((entry) => `"${entry}"`).join(" ");
  const details = `config is "${version}", ${who} supports [${list}]`;
  return new CniError(ErrorCode.IncompatibleVersion, "incompatible CNI versions", details);
}

/** Major, minor and patch. As in the reference, the last ones may be left out and are 0. */
function parts(version: string): number[] {
  const numbers = /^(\d+)(?:\.(\d+))?(?:\.(\d+))?$/.exec(version);
  if (!numbers)
    throw new CniError(
      ErrorCode.InvalidConfig,
      `invalid CNI version ${show(version)}`,
      "A version reads 1.1.0.",
    );
  return numbers.slice(1).map((number) => Number(number ?? 0));
}
