import type { Cidr } from "../../address/cidr.ts";
import type { Host } from "../../host/host.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import { allOrNothing } from "../all-or-nothing.ts";
import { DBus, DBusError, MESSAGE_BUS, NoBusError, type Target } from "../dbus/bus.ts";

/** firewalld on the system's message bus (firewalld.dbus(5)). A source of a zone is an address whose packets the zone judges. */
const FIREWALLD = "org.fedoraproject.FirewallD1";
const ZONE: Target = {
  destination: FIREWALLD,
  path: "/org/fedoraproject/FirewallD1",
  interface: `${FIREWALLD}.zone`,
};

/** All its errors have this name; a word at the beginning of the text says which. */
const EXCEPTION = `${FIREWALLD}.Exception`;
/** The zone has the source already. Versions differ in the word. */
const ALREADY_THERE = ["ZONE_ALREADY_SET", "ALREADY_ENABLED"];
/** The zone does not have the source: nobody has, another zone has, or there is no such zone any more. */
const NOT_THERE = ["UNKNOWN_SOURCE", "NOT_ENABLED", "ZONE_CONFLICT", "INVALID_ZONE"];
/** What the bus says when firewalld is not on it. */
const NOT_RUNNING = [
  "org.freedesktop.DBus.Error.ServiceUnknown",
  "org.freedesktop.DBus.Error.NameHasNoOwner",
];

/** Addresses to be sources of a zone, and where. */
export interface TrustWish {
  readonly host: Host;
  /** The zone's name, as `trusted`. */
  readonly zone: string;
  readonly addresses: readonly Cidr[];
}

/** Whether firewalld is on the system's bus. False too where there is no bus, or none that lets us in. */
export function isFirewalldRunning(host: Host): boolean {
  try {
    return withBus(host, (bus) => bus.call(MESSAGE_BUS, "NameHasOwner", "s", FIREWALLD)[0] === true);
  } catch (error) {
    if (error instanceof NoBusError) return false;
    throw error;
  }
}

/**
 * Makes addresses sources of a zone, until firewalld is reloaded. Equivalent to `firewall-cmd --zone=ZONE
 * --add-source=ADDRESS` for each. `remove` takes away those that were none before. Code 7 if there is no such zone, 100
 * if firewalld does not run or refuses.
 */
export function trustAddresses({ host, zone, addresses }: TrustWish): { remove(): void } {
  const added: Cidr[] = [];
  const remove = () => distrustAddresses({ host, zone, addresses: added });
  const add = (bus: DBus) => {
    for (const address of addresses)
      if (callZone(bus, "addSource", { zone, address }, ALREADY_THERE)) added.push(address);
  };
  return allOrNothing(() => {
    withFirewalld(host, add);
    return { remove };
  }, remove);
}

/** Takes addresses out of a zone. Where they, the zone or firewalld are gone, nothing is left to do. */
export function distrustAddresses({ host, zone, addresses }: TrustWish): void {
  if (addresses.length === 0) return;
  try {
    withBus(host, (bus) => {
      for (const address of addresses) callZone(bus, "removeSource", { zone, address }, NOT_THERE);
    });
  } catch (error) {
    if (!(error instanceof NoBusError) && !isNotRunning(error)) throw error;
  }
}

/** Runs `work` with a connection; code 100 in plain words if firewalld is not there. */
export function withFirewalld<T>(host: Host, work: (bus: DBus) => T): T {
  try {
    return withBus(host, work);
  } catch (error) {
    if (!(error instanceof NoBusError) && !isNotRunning(error)) throw error;
    const details = `${(error as CniError).message}. Start firewalld, or choose another backend.`;
    throw new CniError(ErrorCode.Plugin, "firewalld is not running", details, { cause: error });
  }
}

function withBus<T>(host: Host, work: (bus: DBus) => T): T {
  const bus = DBus.open(host);
  try {
    return work(bus);
  } finally {
    bus.close();
  }
}

/** Calls a method about a source; gives whether it is so, or was done. False too if firewalld refuses with a `tolerated` word. */
export function callZone(
  bus: DBus,
  method: string,
  { zone, address }: { readonly zone: string; readonly address: Cidr },
  tolerated: readonly string[] = [],
): boolean {
  try {
    const [answer] = bus.call(ZONE, method, "ss", zone, `${address.host}`);
    return answer !== false;
  } catch (error) {
    const word = refusalOf(error);
    if (word !== undefined && tolerated.includes(word)) return false;
    throw word === "INVALID_ZONE" ? noSuchZone(zone, error) : error;
  }
}

/** The word of firewalld's own errors: `ZONE_ALREADY_SET`. */
function refusalOf(error: unknown): string | undefined {
  if (!(error instanceof DBusError) || error.errorName !== EXCEPTION) return undefined;
  return /\b([A-Z]+(?:_[A-Z]+)+)\b/.exec(error.message)?.[1];
}

function isNotRunning(error: unknown): boolean {
  return error instanceof DBusError && NOT_RUNNING.includes(error.errorName);
}

function noSuchZone(zone: string, cause: unknown): CniError {
  return new CniError(
    ErrorCode.InvalidConfig,
    `firewalld has no zone ${JSON.stringify(zone)}`,
    "`firewall-cmd --get-zones` lists them.",
    { cause },
  );
}
