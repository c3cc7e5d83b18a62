/** A link-layer address: 6 bytes of an Ethernet card; 8 and 20 (InfiniBand) are accepted too. */
export class MacAddress {
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** Lower-case hexadecimal with colons. */
  toString(): string {
    return Array.from(this.bytes, (byte) => byte.toString(16).padStart(2, "0")).join(":");
  }

  toJSON(): string {
    return this.toString();
  }

  equals(other: MacAddress): boolean {
    return this.compare(other) === 0;
  }

  /** Below 0, 0, above 0: the order of the bytes; the shorter comes first. */
  compare({ bytes }: MacAddress): number {
    const differs = this.bytes.findIndex((byte, index) => byte !== bytes[index]);
    return differs < 0 ? this.bytes.length - bytes.length : this.bytes[differs]! - (bytes[differs] ?? -1);
  }
}

/** Parses 00:00:5e:00:53:01 or 00-00-5e-00-53-01 or 0000.5e00.5301; undefined if the text is none. */
export function parseMac(text: string): MacAddress | undefined {
  const pairs = /^([0-9a-f]{4}\.)+[0-9a-f]{4}$/i.test(text)
    ? text.replaceAll(".", "").match(/../g)!
    : text.split(/[:-]/);
  if (![6, 8, 20].includes(pairs.length) || (text.includes(":") && text.includes("-"))) return undefined;
  if (!pairs.every((pair) => /^[0-9a-f]{2}$/i.test(pair))) return undefined;
  return new MacAddress(Uint8Array.from(pairs, (pair) => Number.parseInt(pair, 16)));
}
