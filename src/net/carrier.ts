import { getLinkByIndex, type Link, type LinkRef } from "../netlink/link.ts";
import { CniError, ErrorCode } from "../spec/errors.ts";
import type { Namespace } from "./namespace.ts";

const IFLA_OPERSTATE = 16;
/** IF_OPER_* (linux/if.h). */
const IF_OPER_UNKNOWN = 0;
const IF_OPER_UP = 6;
const TIMEOUT_MS = 2_500;
const NAP_MS = 2;
const STATES = ["unknown", "not present", "down", "lower layer down", "testing", "dormant", "up"];

/** Waits until packets can pass a link, and gives its state then. The kernel notices a carrier a moment after it is there. */
export function awaitCarrier({ route, host }: Namespace, { index, name }: LinkRef): Link {
  for (let waited = 0; ; waited += NAP_MS) {
    const link = route.query(getLinkByIndex(index));
    const state = link?.attributes.get(IFLA_OPERSTATE)?.u8() ?? IF_OPER_UNKNOWN;
    if (link && (state === IF_OPER_UP || state === IF_OPER_UNKNOWN)) return link;
    if (waited >= TIMEOUT_MS)
      throw new CniError(
        ErrorCode.Plugin,
        `bridge port in error state: ${link ? STATES[state] : "gone"}`,
        `${name} has no carrier after ${TIMEOUT_MS / 1000} s: is the bridge up?`,
      );
    host.sleep(NAP_MS);
  }
}
