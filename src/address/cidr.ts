import { Ip, parseIp } from "./ip.ts";

/** An address with the length of its network's prefix, as 10.1.2.3/24. The host bits are kept. */
export class Cidr {
  readonly ip: Ip;
  readonly prefixLength: number;

  constructor(ip: Ip, prefixLength: number) {
    this.ip = ip;
    this.prefixLength = prefixLength;
  }

  get family(): 4 | 6 {
    return this.ip.family;
  }

  toString(): string {
    return `${this.ip}/${this.prefixLength}`;
  }

  toJSON(): string {
    return this.toString();
  }

  equals(other: Cidr): boolean {
    return this.prefixLength === other.prefixLength && this.ip.equals(other.ip);
  }

  /** The first address: all host bits 0. */
  get networkAddress(): Ip {
    return this.#withHostBits(0x00);
  }

  /** The last address: all host bits 1. In IPv4 the broadcast address. */
  get lastAddress(): Ip {
    return this.#withHostBits(0xff);
  }

  /** The network itself: 10.1.2.0/24 for 10.1.2.3/24. */
  get network(): Cidr {
    return new Cidr(this.networkAddress, this.prefixLength);
  }

  /** The single address as a network: /32 or /128. */
  get host(): Cidr {
    return hostCidr(this.ip);
  }

  contains(ip: Ip): boolean {
    return (
      ip.family === this.family && new Cidr(ip, this.prefixLength).networkAddress.equals(this.networkAddress)
    );
  }

  #withHostBits(fill: number): Ip {
    const bytes = this.ip.bytes.map((byte, index) => {
      const bits = Math.min(8, Math.max(0, this.prefixLength - index * 8));
      const mask = (0xff00 >> bits) & 0xff;
      return (byte & mask) | (fill & ~mask & 0xff);
    });
    return new Ip(bytes);
  }
}

/** Parses ADDRESS/LENGTH; undefined if the text is none. */
export function parseCidr(text: string): Cidr | undefined {
  const slash = text.lastIndexOf("/");
  if (slash < 0 || !/^(0|[1-9][0-9]{0,2})$/.test(text.slice(slash + 1))) return undefined;
  const ip = parseIp(text.slice(0, slash));
  const length = Number(text.slice(slash + 1));
  // An IPv4-mapped address is written with its IPv6 length.
  const prefixLength = ip?.family === 4 && text.includes(":") ? length - 96 : length;
  if (!ip || prefixLength < 0 || prefixLength > ip.bytes.length * 8) return undefined;
  return new Cidr(ip, prefixLength);
}

/** The single address as a network: /32 or /128. */
export function hostCidr(ip: Ip): Cidr {
  return new Cidr(ip, ip.bytes.length * 8);
}

/** 0.0.0.0/0 or ::/0. */
export function everywhere(family: 4 | 6): Cidr {
  return new Cidr(new Ip(new Uint8Array(family === 4 ? 4 : 16)), 0);
}
