import { getLink } from "../netlink/link.ts";
import { CniError, ErrorCode } from "../spec/errors.ts";
import type { Namespace } from "./namespace.ts";

/** The error for a CNI_IFNAME that the container has already. Code 4. `kind`: what was to have the name. */
export function nameTaken(name: string, kind = "interface"): CniError {
  return new CniError(
    ErrorCode.InvalidEnvironment,
    `container ${kind} name provided (${name}) already exists`,
    "CNI_IFNAME names an interface that the namespace has already. Use another name, or run DEL first.",
  );
}

/** Throws if the container has an interface of this name. */
export function requireFreeName({ route }: Namespace, name: string): void {
  if (route.query(getLink(name)) !== undefined) throw nameTaken(name);
}
