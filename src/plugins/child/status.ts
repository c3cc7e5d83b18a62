import { errno } from "../../host/errno.ts";
import { checkMtu, findMaster } from "../../net/master.ts";
import type { Namespace } from "../../net/namespace.ts";
import { isNetlinkErrno } from "../../netlink/error.ts";
import { createLink, type Link } from "../../netlink/link.ts";
import type { StatusRequest } from "../../plugin/types.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import type { ChildConfig } from "./config.ts";

/** Throws if the host has no such master now. One in a container is known at ADD only. */
export function requireMaster({ config, hostNetns }: StatusRequest<ChildConfig>): void {
  if (!config.linkInContainer) checkMtu(config.mtu, availableMaster(hostNetns, config.master));
}

function availableMaster(netns: Namespace, name: string): Link {
  try {
    return findMaster(netns, name);
  } catch (error) {
    if (!(error instanceof CniError)) throw error;
    throw new CniError(ErrorCode.NotAvailable, error.message, error.details, { cause: error });
  }
}

/** Throws if the kernel has no links of this kind, and no module for it. */
export function requireKind({ hostNetns }: StatusRequest<unknown>, kind: string): void {
  try {
    // Nothing comes of it: a kernel that has the kind refuses a link that is on no other. The name is a pattern, which
    // cannot be taken.
    hostNetns.route.execute([createLink({ kind }, { name: `${kind}%d` })]);
  } catch (error) {
    if (isNetlinkErrno(error, errno.EINVAL)) return;
    if (!isNetlinkErrno(error, errno.EOPNOTSUPP)) throw error;
    const details = `Load its module (modprobe rtnl-link-${kind}), or use a kernel that has it.`;
    throw new CniError(ErrorCode.NotAvailable, `the kernel has no ${kind}`, details, { cause: error });
  }
}
