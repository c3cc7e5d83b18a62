import type { MacAddress } from "../../address/mac.ts";
import { errno } from "../../host/errno.ts";
import type { Namespace } from "../../net/namespace.ts";
import { isNetlinkErrno } from "../../netlink/error.ts";
import {
  getLink,
  IFF_ALLMULTI,
  IFF_PROMISC,
  type Link,
  type LinkChange,
  setLink,
} from "../../netlink/link.ts";
import { boolean, integer, mac, optional } from "../../spec/schema.ts";

/** The kernel counts in signed numbers. */
const MAX = 0x7fffffff;

/** What tuning changes of an interface. The names are those of the configuration and of the backup. */
export interface Settings {
  readonly mac?: MacAddress | undefined;
  /** Bytes. */
  readonly mtu?: number | undefined;
  readonly promisc?: boolean | undefined;
  readonly allmulti?: boolean | undefined;
  /** Packets. */
  readonly txQLen?: number | undefined;
}

export type Setting = keyof Settings;

/** Their schemas. */
export function settings() {
  return {
    mac: optional(mac()),
    /** 0 for the interface's own. */
    mtu: optional(integer(0, MAX)),
    /** The interface takes all frames; false leaves it as it is. */
    promisc: optional(boolean()),
    /** The interface takes all multicast frames. */
    allmulti: optional(boolean()),
    /** The length of the transmit queue. */
    txQLen: optional(integer(0, MAX)),
  };
}

/** The settings that have a value. */
export function settingsIn(settings: Settings): Setting[] {
  const names: readonly Setting[] = ["mac", "mtu", "promisc", "allmulti", "txQLen"];
  return names.filter((name) => settings[name] !== undefined);
}

/** Those settings of `from` that `names` lists. */
export function pick(from: Settings, names: readonly Setting[]): Settings {
  return Object.fromEntries(names.map((name) => [name, from[name]]));
}

/** All settings as they are. */
export function settingsOf({ mac, mtu, flags, txQueueLength }: Link): Settings {
  return {
    mac,
    mtu,
    promisc: (flags & IFF_PROMISC) !== 0,
    allmulti: (flags & IFF_ALLMULTI) !== 0,
    txQLen: txQueueLength,
  };
}

/** Those names under which `a` and `b` differ. */
export function differences(names: readonly Setting[], a: Settings, b: Settings): Setting[] {
  return names.filter((name) => `${a[name]}` !== `${b[name]}`);
}

export function changeTo({ mac, mtu, promisc, allmulti, txQLen }: Settings): LinkChange {
  return { mac, mtu, promiscuous: promisc, allMulticast: allmulti, txQueueLength: txQLen };
}

/** Gives the interface these settings again, each by itself, where they differ. Nothing if there is no such interface. */
export function restore({ route }: Namespace, ifName: string, before: Settings): void {
  const link = route.query(getLink(ifName));
  if (link === undefined) return;
  const changed = differences(settingsIn(before), before, settingsOf(link));
  try {
    route.execute(changed.map((name) => setLink(link, changeTo({ [name]: before[name] }))));
  } catch (error) {
    // Gone meanwhile.
    if (!isNetlinkErrno(error, errno.ENODEV)) throw error;
  }
}
