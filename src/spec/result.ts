import type { Cidr } from "../address/cidr.ts";
import type { Ip } from "../address/ip.ts";

/** The result of ADD in the shape of the newest specification, 1.1.0; other versions are converted from and to it. */
export interface Result {
  readonly interfaces?: readonly Interface[] | undefined;
  readonly ips?: readonly IpConfig[] | undefined;
  readonly routes?: readonly Route[] | undefined;
  readonly dns?: Dns | undefined;
}

export interface Interface {
  readonly name: string;
  readonly mac?: string | undefined;
  readonly mtu?: number | undefined;
  /** Path of the network namespace; absent or "" for an interface of the host. */
  readonly sandbox?: string | undefined;
  readonly socketPath?: string | undefined;
  readonly pciID?: string | undefined;
}

export interface IpConfig {
  readonly address: Cidr;
  readonly gateway?: Ip | undefined;
  /** Index into `interfaces`. */
  readonly interface?: number | undefined;
}

export interface Route {
  readonly dst: Cidr;
  readonly gw?: Ip | undefined;
  readonly mtu?: number | undefined;
  readonly advmss?: number | undefined;
  readonly priority?: number | undefined;
  /** Absent is not 0: absent means the kernel's choice. */
  readonly table?: number | undefined;
  readonly scope?: number | undefined;
}

export interface Dns {
  readonly nameservers?: readonly string[] | undefined;
  readonly domain?: string | undefined;
  readonly search?: readonly string[] | undefined;
  readonly options?: readonly string[] | undefined;
}
