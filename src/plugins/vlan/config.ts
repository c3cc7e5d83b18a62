import { CniError, ErrorCode } from "../../spec/errors.ts";
import { type Infer, integer, object, optional } from "../../spec/schema.ts";
import { childFields } from "../child/config.ts";

const MAX_VLAN = 4094;

export const config = object({
  ...childFields,
  /** The tag of the container's frames; with 0 they have a priority and no VLAN. */
  vlanId: optional(integer(), 0),
});

export type VlanConfig = Infer<typeof config>;

/** Refuses, with code 7, what no interface can be made of. */
export function checkConfig({ master, vlanId }: VlanConfig): void {
  if (master === "")
    throw new CniError(
      ErrorCode.InvalidConfig,
      '"master" field is required. It specifies the host interface name to create the VLAN for',
    );
  if (vlanId < 0 || vlanId > MAX_VLAN)
    throw new CniError(
      ErrorCode.InvalidConfig,
      `invalid VLAN ID ${vlanId} (must be between 0 and ${MAX_VLAN})`,
    );
}
