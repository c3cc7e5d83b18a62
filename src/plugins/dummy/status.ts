import { errno } from "../../host/errno.ts";
import { check } from "../../host/host.ts";
import { Namespace } from "../../net/namespace.ts";
import { createLink } from "../../netlink/link.ts";
import type { StatusRequest } from "../../plugin/types.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import { requireIpam } from "../lease.ts";

/** Throws if an ADD could not succeed now: code 50 where the kernel has no dummy links. */
export function status({ host, ipam }: StatusRequest<object>): void {
  requireIpam(ipam).status();
  // Where nobody sees it: nothing else tells whether the module is there.
  const netns = new Namespace(host, check("unshare", host.sys.newnetns(), "network namespace"));
  try {
    const known = netns.route.attempt(createLink({ kind: "dummy" }, { name: "dummy" }), errno.EOPNOTSUPP);
    if (!known)
      throw new CniError(
        ErrorCode.NotAvailable,
        "the kernel has no dummy links",
        "Load the module dummy, or use a kernel that has it.",
      );
  } finally {
    netns.close();
  }
}
