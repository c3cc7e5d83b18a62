import type { Cidr } from "../../address/cidr.ts";
import type { PortMapping } from "../../spec/capabilities/port-mappings.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import type { Namespace } from "../namespace.ts";

/** An attachment, one container's interface on one network: whose ports they are. */
export interface PortForwardOwner {
  readonly network: string;
  readonly containerId: string;
  readonly ifName: string;
}

/** Ports of the host that are to lead to a container. */
export interface PortForwardWish extends PortForwardOwner {
  /** The host's namespace; for iptables it must be the process's own. */
  readonly netns: Namespace;
  readonly mappings: readonly PortMapping[];
  /** The container's; the first of each family counts. */
  readonly addresses: readonly Cidr[];
  /** What comes from 127.0.0.1, and from the container itself, gets an address of the host as its source. */
  readonly snat: boolean;
  /** With `snat`: whatever is forwarded gets one. */
  readonly masqAll: boolean;
  /** With iptables: the bit of a packet's mark that asks for it, 0 to 31. */
  readonly markMasqBit: number;
  /** With iptables: a chain that sets a mark which asks for it, made and heeded by somebody else. */
  readonly externalSetMarkChain?: string | undefined;
  /** Words of a rule, in the backend's language: which packets are forwarded. None for all. */
  readonly conditionsV4: readonly string[];
  readonly conditionsV6: readonly string[];
}

/** The part of a wish that concerns one family. */
export interface FamilyForwards {
  readonly family: 4 | 6;
  /** The container's address. */
  readonly target: Cidr;
  /** Without `hostIP` where it is unspecified, 0.0.0.0 or ::, which means any address of its family. */
  readonly mappings: readonly PortMapping[];
}

/** A wish by families: those of which the container has an address. There is no way from one to the other. */
export function forwardsByFamily({
  mappings,
  addresses,
}: Pick<PortForwardWish, "mappings" | "addresses">): FamilyForwards[] {
  return ([4, 6] as const).flatMap((family) => {
    const target = addresses.find((address) => address.family === family);
    const own = target ? mappingsOf(family, mappings) : [];
    return target && own.length > 0 ? [{ family, target, mappings: own }] : [];
  });
}

/** Those mappings that the family's packets meet, each once. */
export function mappingsOf(family: 4 | 6, mappings: readonly PortMapping[]): PortMapping[] {
  const own = mappings
    .filter(({ hostIP }) => hostIP === undefined || hostIP.family === family)
    .map(({ hostIP, ...mapping }) =>
      hostIP?.bytes.some((byte) => byte !== 0) ? { ...mapping, hostIP } : mapping,
    );
  return [...new Map(own.map((one) => [`${describePort(one)} ${one.containerPort}`, one])).values()];
}

/** Code 7 if one port of the host is to lead to two of the container. */
export function checkMappings(mappings: readonly PortMapping[]): void {
  for (const family of [4, 6] as const) {
    const seen = new Map<string, number>();
    for (const mapping of mappingsOf(family, mappings)) {
      const port = describePort(mapping);
      const earlier = seen.get(port);
      if (earlier !== undefined)
        throw new CniError(
          ErrorCode.InvalidConfig,
          `host port ${port} is mapped twice, to the ports ${earlier} and ${mapping.containerPort}`,
          "Leave one of the two out of portMappings.",
        );
      seen.set(port, mapping.containerPort);
    }
  }
}

/** The host's side: `8080/tcp`, `192.0.2.1:8080/tcp`, `[2001:db8::1]:8080/tcp`. */
export function describePort({ hostIP, hostPort, protocol }: PortMapping): string {
  const address = hostIP ? `${hostIP.family === 4 ? hostIP : `[${hostIP}]`}:` : "";
  return `${address}${hostPort}/${protocol}`;
}
