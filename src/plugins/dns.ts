import type { Dns } from "../spec/result.ts";

/** Whether a configuration's `dns` says anything: then it wins over that of IPAM. */
export function hasDns(dns: Dns | undefined): dns is Dns {
  return dns !== undefined && Object.values(dns).some((value) => value !== undefined && value !== "");
}
