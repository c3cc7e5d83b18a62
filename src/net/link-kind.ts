import { errno } from "../host/errno.ts";
import { check, type Host } from "../host/host.ts";
import { createLink } from "../netlink/link.ts";
import { CniError, ErrorCode } from "../spec/errors.ts";
import { Namespace } from "./namespace.ts";

/**
 * Throws code 50 if the kernel has no links of a kind that is on no other link, as dummy and ifb are, and no module for
 * it. Nothing but making one tells: it is made where nobody sees it.
 */
export function requireLinkKind(host: Host, kind: string): void {
  const netns = new Namespace(host, check("unshare", host.sys.newnetns(), "network namespace"));
  try {
    if (netns.route.attempt(createLink({ kind }, { name: kind }), errno.EOPNOTSUPP)) return;
  } finally {
    netns.close();
  }
  throw new CniError(
    ErrorCode.NotAvailable,
    `the kernel has no ${kind} links`,
    `Load the module ${kind}, or use a kernel that has it.`,
  );
}
