import { CniError, ErrorCode } from "../../spec/errors.ts";
import { show } from "../../spec/json.ts";

/** As dhcp-options(5) calls them (RFC 2132, and later ones from 77 on). */
const CODES: Readonly<Record<string, number>> = {
  "subnet-mask": 1,
  "time-offset": 2,
  routers: 3,
  "time-servers": 4,
  "domain-name-servers": 6,
  "log-servers": 7,
  "host-name": 12,
  "domain-name": 15,
  "root-path": 17,
  "interface-mtu": 26,
  "broadcast-address": 28,
  "static-routes": 33,
  "nis-domain": 40,
  "nis-servers": 41,
  "ntp-servers": 42,
  "vendor-encapsulated-options": 43,
  "netbios-name-servers": 44,
  "dhcp-requested-address": 50,
  "dhcp-lease-time": 51,
  "dhcp-max-message-size": 57,
  "vendor-class-identifier": 60,
  "dhcp-client-identifier": 61,
  "tftp-server-name": 66,
  "bootfile-name": 67,
  "user-class": 77,
  "domain-search": 119,
  "rfc3442-classless-static-routes": 121,
};

/** The code of an option: its name, or a number from 1 to 254, as text too. Code 7 names `key` for anything else. */
export function optionCode(option: unknown, key: string): number {
  const text = typeof option === "string" || typeof option === "number" ? `${option}` : "";
  const code = Object.hasOwn(CODES, text) ? CODES[text]! : /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (code >= 1 && code <= 254) return code;
  throw new CniError(
    ErrorCode.InvalidConfig,
    `Can not parse option ${show(option)}`,
    `${key} is the name of an option, such as "host-name", or its number, from 1 to 254.`,
  );
}
