import { errno } from "../../host/errno.ts";
import { isNetlinkErrno } from "../../netlink/error.ts";
import { listRules } from "../../netlink/rule.ts";
import type { StatusRequest } from "../../plugin/types.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import { checkConfig, type SbrConfig } from "./config.ts";

/** Throws if an ADD could not succeed now: the kernel knows no rules. */
export function status({ config, hostNetns }: StatusRequest<SbrConfig>): void {
  checkConfig(config);
  try {
    hostNetns.route.dump(listRules());
  } catch (error) {
    if (!isNetlinkErrno(error, errno.EOPNOTSUPP)) throw error;
    throw new CniError(
      ErrorCode.NotAvailable,
      "the kernel has no policy routing",
      "It was built without CONFIG_IP_MULTIPLE_TABLES.",
      { cause: error },
    );
  }
}
