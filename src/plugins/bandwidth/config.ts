import type { RateLimit } from "../../net/rate-limit.ts";
import { bandwidth } from "../../spec/capabilities/bandwidth.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import { type Infer, integer, object, optional } from "../../spec/schema.ts";

const bits = optional(integer(0));

export const config = object({
  /** Bits per second to the container; 0 for no limit. */
  ingressRate: bits,
  /** Bits at once after a pause. */
  ingressBurst: bits,
  /** The same from the container. */
  egressRate: bits,
  egressBurst: bits,
  runtimeConfig: optional(object({ bandwidth: optional(bandwidth()) })),
});

export type BandwidthConfig = Infer<typeof config>;

export interface Limits {
  /** What goes to the container. */
  readonly ingress: RateLimit | undefined;
  /** What comes from it. */
  readonly egress: RateLimit | undefined;
}

/** Those of the configuration if it names any, else the runtime's. Code 7 for values that have no sense. */
export function limitsOf({ runtimeConfig, ...own }: BandwidthConfig): Limits {
  const isStatic = Object.values(own).some((value) => value !== undefined);
  const { ingressRate, ingressBurst, egressRate, egressBurst } =
    isStatic || !runtimeConfig?.bandwidth ? own : runtimeConfig.bandwidth;
  return {
    ingress: limitOf("ingress", ingressRate, ingressBurst),
    egress: limitOf("egress", egressRate, egressBurst),
  };
}

function limitOf(direction: "ingress" | "egress", rate = 0, burst = 0): RateLimit | undefined {
  if (rate === 0 && burst === 0) return undefined;
  const values = `${direction}Rate is ${rate}, ${direction}Burst is ${burst}`;
  if (burst === 0) throw invalid("if rate is set, burst must also be set", values);
  if (rate === 0) throw invalid("if burst is set, rate must also be set", values);
  // The kernel counts in bytes.
  if (rate < 8 || burst < 8) throw invalid("rate and burst must be 8 at least, which is a byte", values);
  if (Math.floor(burst / 8) >= 0xffffffff) throw invalid("burst cannot be more than 4GB", values);
  return { rate, burst };
}

function invalid(msg: string, values: string): CniError {
  return new CniError(
    ErrorCode.InvalidConfig,
    msg,
    `${values}. Rates are in bits per second, bursts in bits.`,
  );
}
