import type { Link, LinkKind } from "../link.ts";

/** Wire: IFLA_VRF_TABLE (linux/if_link.h). */

const IFLA_VRF_TABLE = 1;

/** A VRF with this routing table. Equivalent to `ip link add NAME type vrf table TABLE`. */
export function vrf(table: number): LinkKind {
  return { kind: "vrf", write: (data) => data.u32Attribute(IFLA_VRF_TABLE, table) };
}

/** The routing table of a VRF; undefined if the link is none. */
export function readVrfTable({ kind, kindData }: Link): number | undefined {
  return kind === "vrf" ? kindData?.attributes().get(IFLA_VRF_TABLE)?.u32() : undefined;
}
