import type { PortForwardWish } from "../../net/hostports/wish.ts";
import type { Attachment, Call } from "../../plugin/types.ts";
import { portMappings } from "../../spec/capabilities/port-mappings.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import type { Result } from "../../spec/result.ts";
import { array, boolean, type Infer, integer, object, oneOf, optional, string } from "../../spec/schema.ts";

/** Kubernetes uses 14 and 15, Calico 20 to 31. */
const DEFAULT_MARK_BIT = 13;

export const config = object({
  backend: optional(oneOf("nftables", "iptables")),
  /** What comes from 127.0.0.1 and from the container's own network gets an address of the host as its source. */
  snat: optional(boolean(), true),
  /** With snat: whatever is forwarded gets one. */
  masqAll: optional(boolean(), false),
  /** With iptables: the bit of the mark that asks for it. */
  markMasqBit: optional(integer()),
  /** With iptables: a chain of somebody else that sets such a mark. */
  externalSetMarkChain: optional(string()),
  /** Words of a rule, in the language of the backend. */
  conditionsV4: optional(array(string()), []),
  conditionsV6: optional(array(string()), []),
  runtimeConfig: optional(object({ portMappings: optional(portMappings(), []) })),
});

export type PortmapConfig = Infer<typeof config>;

export type Backend = "nftables" | "iptables";

/** The backend that is asked for, or implied by options that only iptables has. Code 7 if they contradict each other. */
export function backendOf(config: PortmapConfig): Backend {
  const { externalSetMarkChain, markMasqBit, conditionsV4, conditionsV6 } = config;
  if (markMasqBit !== undefined && externalSetMarkChain !== undefined)
    throw invalid("Cannot specify externalSetMarkChain and markMasqBit");
  if (markMasqBit !== undefined && (markMasqBit < 0 || markMasqBit > 31))
    throw invalid("MasqMarkBit must be between 0 and 31", `markMasqBit is ${markMasqBit}.`);
  const specific = { iptables: [] as string[], nftables: [] as string[] };
  if (externalSetMarkChain !== undefined) specific.iptables.push("externalSetMarkChain");
  for (const [name, words] of Object.entries({ conditionsV4, conditionsV6 })) {
    const language = languageOf(words);
    if (language) specific[language].push(name);
  }
  const backend = config.backend ?? (specific.iptables.length > 0 ? "iptables" : "nftables");
  const other = backend === "iptables" ? "nftables" : "iptables";
  if (specific[other].length > 0)
    throw invalid(
      `${backend} backend was requested but configuration contains ${other}-specific options [${specific[other].join(" ")}]`,
      `Leave them out, write conditions in the words of ${backend}, or choose "backend": "${other}".`,
    );
  return backend;
}

/** In which language conditions are: those of iptables begin with an option or its negation. */
function languageOf([first = ""]: readonly string[]): Backend | undefined {
  if (first === "") return undefined;
  return /^[-!]/.test(first) ? "iptables" : "nftables";
}

/** What is to be forwarded to the attachment, with those addresses of the result that are its own. */
export function wishOf(
  { config, hostNetns, network, containerId, ifName }: Call<PortmapConfig> & Attachment,
  { ips = [], interfaces = [] }: Result,
): PortForwardWish {
  const addresses = ips
    .filter(({ interface: index }) => {
      const owner = index === undefined ? undefined : interfaces[index];
      return owner === undefined || (owner.name === ifName && Boolean(owner.sandbox));
    })
    .map(({ address }) => address);
  const { snat, masqAll, markMasqBit = DEFAULT_MARK_BIT } = config;
  const { externalSetMarkChain, conditionsV4, conditionsV6 } = config;
  return {
    ...{ netns: hostNetns, network, containerId, ifName },
    ...{ mappings: config.runtimeConfig?.portMappings ?? [], addresses },
    ...{ snat, masqAll, markMasqBit, externalSetMarkChain, conditionsV4, conditionsV6 },
  };
}

function invalid(msg: string, details?: string): CniError {
  return new CniError(ErrorCode.InvalidConfig, msg, details);
}
