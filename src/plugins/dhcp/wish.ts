import type { Wish } from "../../dhcp/protocol.ts";
import { DEFAULT_REQUEST } from "../../dhcp/v4/options.ts";
import type { Call } from "../../plugin/types.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import { member, show } from "../../spec/json.ts";
import type { DhcpConfig } from "./config.ts";
import { optionCode } from "./option-code.ts";

type IpamConfig = NonNullable<DhcpConfig["ipam"]>;

/** An option has one byte for the length of its value. */
const MAX_LENGTH = 255;
/** What messages are made of: the message's type, whose it is and what it asks for (RFC 2131, table 5), overload. */
const OWN_CODES: readonly number[] = [50, 52, 53, 54, 55];

/** What the configuration and CNI_ARGS wish for. Code 7, or 4 for a value of CNI_ARGS, for what cannot be. */
export function wishOf(
  { host, config, rawConfig }: Pick<Call<DhcpConfig>, "host" | "config" | "rawConfig">,
  args: ReadonlyMap<string, string>,
): Wish {
  const { ipam } = config;
  if (!ipam) throw new CniError(ErrorCode.InvalidConfig, "IPAM config missing 'ipam' key");
  const { ipv4, ipv6, priority, broadcast } = ipam;
  if (ipv4 === "none" && ipv6 === "none")
    throw new CniError(
      ErrorCode.InvalidConfig,
      'ipam.ipv4 and ipam.ipv6 are both "none"',
      "No address would come of it: leave one of them out.",
    );
  return {
    ipv4,
    ipv6,
    request: requested(ipam),
    provide: [...provided(ipam, args, (text) => host.encode(text).length)],
    ...(priority !== 0 && { priority }),
    broadcast,
    mtu: !member(rawConfig, "mtu"),
  };
}

/** In the order of the configuration, with the default ones first. */
function requested({ request }: IpamConfig): number[] {
  const codes = request.flatMap(({ option }, index) =>
    option === "" ? [] : [optionCode(option, `ipam.request[${index}].option`)],
  );
  const defaults = request.some(({ skipDefault }) => skipDefault) ? [] : DEFAULT_REQUEST;
  return [...new Set([...defaults, ...codes])];
}

/** An option that is named twice has the last value; one without any is not sent. */
function provided(
  { provide }: IpamConfig,
  args: ReadonlyMap<string, string>,
  lengthOf: (text: string) => number,
): Map<number, string> {
  const values = new Map<number, string>();
  for (const [index, { option, value, fromArg }] of provide.entries()) {
    const key = `ipam.provide[${index}]`;
    const code = optionCode(option, `${key}.option`);
    if (OWN_CODES.includes(code))
      throw new CniError(
        ErrorCode.InvalidConfig,
        `option ${show(option)} cannot be provided`,
        `${key}.option: each message has that by itself.`,
      );
    const fromArgs = args.get(fromArg);
    if (lengthOf(value) > MAX_LENGTH)
      throw new CniError(
        ErrorCode.InvalidConfig,
        `value too long for option ${show(option)}: ${show(value)}`,
        `${key}.value has ${MAX_LENGTH} bytes at the most.`,
      );
    if (fromArgs !== undefined && lengthOf(fromArgs) > MAX_LENGTH)
      throw new CniError(
        ErrorCode.InvalidEnvironment,
        `value too long for option ${show(option)} from CNI_ARGS ${show(fromArg)}: ${show(fromArgs)}`,
        `${key}: an option has ${MAX_LENGTH} bytes at the most.`,
      );
    const chosen = fromArgs || value;
    if (chosen !== "") values.set(code, chosen);
  }
  return values;
}
