import type { Cidr } from "../../address/cidr.ts";
import type { Namespace } from "../namespace.ts";
import type { Owner } from "../owned.ts";

/** Who may connect to the containers of a bridge, besides the outside and those on bridges without such a rule. */
export interface Ingress {
  /** The containers of the same bridge, or none. */
  readonly policy: "same-bridge" | "isolated";
  readonly bridge: string;
  /** By which its packets are routed: the bridge itself, or an interface of its own for the VLAN. */
  readonly router: string;
  /** The container's port of the bridge: the host's end of its veth pair. */
  readonly port?: string | undefined;
}

/** What the firewall is to let pass, and for whom. */
export interface FirewallWish extends Owner {
  /** The host's namespace; for iptables it must be the process's own. */
  readonly netns: Namespace;
  /** The container's addresses. */
  readonly addresses: readonly Cidr[];
  /** The chain for the administrator's own rules, which come first. */
  readonly adminChain: string;
  /** Absent: everybody may. */
  readonly ingress?: Ingress | undefined;
}
