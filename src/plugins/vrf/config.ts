import { CniError, ErrorCode } from "../../spec/errors.ts";
import { INTERFACE_NAME } from "../../spec/names.ts";
import type { Result } from "../../spec/result.ts";
import { type Infer, integer, object, optional, string } from "../../spec/schema.ts";

export const config = object({
  /** The VRF's name; it is made if it is not there. */
  vrfname: string({ pattern: INTERFACE_NAME, expected: "the name of a VRF, 15 characters at most" }),
  /** Its routing table; 0 for the first free one. */
  table: optional(integer(0, 0xffffffff), 0),
});

export type VrfConfig = Infer<typeof config>;

/** What the plugins before have made. Code 7 where there is none. */
export function requireResult(prevResult: Result | undefined): Result {
  if (prevResult !== undefined) return prevResult;
  throw new CniError(
    ErrorCode.InvalidConfig,
    "missing prevResult from earlier plugin",
    "vrf is a chained plugin: name it in `plugins` behind the one that makes the interface.",
  );
}
