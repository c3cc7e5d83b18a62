import { errno } from "../../host/errno.ts";
import { isNetlinkErrno } from "../../netlink/error.ts";
import { createLink } from "../../netlink/link.ts";
import type { StatusRequest } from "../../plugin/types.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import type { VrfConfig } from "./config.ts";

/** Throws if an ADD could not succeed now: the kernel knows no VRFs. */
export function status({ config, hostNetns }: StatusRequest<VrfConfig>): void {
  try {
    // Nothing is made without a table: a kernel that knows VRFs says so. EEXIST: the host has a link of this name.
    const incomplete = createLink({ kind: "vrf" }, { name: config.vrfname });
    hostNetns.route.attempt(incomplete, errno.EINVAL, errno.EEXIST);
  } catch (error) {
    if (!isNetlinkErrno(error, errno.EOPNOTSUPP)) throw error;
    const details = "It was built without CONFIG_NET_VRF, or its module vrf is not installed.";
    throw new CniError(ErrorCode.NotAvailable, "the kernel has no VRFs", details, { cause: error });
  }
}
