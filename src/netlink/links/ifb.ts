import type { LinkKind } from "../link.ts";

/**
 * An Intermediate Functional Block: what is redirected to it passes its qdisc, then goes on where it came from.
 * Equivalent to `ip link add NAME type ifb`.
 */
export function ifb(): LinkKind {
  return { kind: "ifb" };
}
