/** An IPv4 or IPv6 address: 4 or 16 bytes. An IPv4-mapped IPv6 address (::ffff:a.b.c.d) is IPv4, as in Go. */
export class Ip {
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get family(): 4 | 6 {
    return this.bytes.length === 4 ? 4 : 6;
  }

  /** The canonical text: dotted for IPv4, RFC 5952 for IPv6. */
  toString(): string {
    return this.family === 4 ? this.bytes.join(".") : formatV6(this.bytes);
  }

  toJSON(): string {
    return this.toString();
  }

  equals(other: Ip): boolean {
    return this.compare(other) === 0;
  }

  /** Below 0, 0, above 0: the order of addresses; IPv4 comes before IPv6. */
  compare(other: Ip): number {
    if (this.bytes.length !== other.bytes.length) return this.bytes.length - other.bytes.length;
    for (let i = 0; i < this.bytes.length; i++) {
      const difference = this.bytes[i]! - other.bytes[i]!;
      if (difference !== 0) return difference;
    }
    return 0;
  }

  /** The address `count` further (or back); it wraps round at the end of the family's space. */
  plus(count: number): Ip {
    const bytes = this.bytes.slice();
    let rest = count;
    for (let i = bytes.length - 1; i >= 0 && rest !== 0; i--) {
      const sum = bytes[i]! + (rest & 0xff);
      bytes[i] = sum & 0xff;
      rest = Math.floor(rest / 256) + (sum >> 8);
    }
    return new Ip(bytes);
  }
}

/** Parses an address without prefix length; undefined if the text is none. Zones (%eth0) are refused. */
export function parseIp(text: string): Ip | undefined {
  const bytes = text.includes(":") ? parseV6(text) : parseV4(text);
  return bytes && new Ip(isMapped(bytes) ? bytes.slice(12) : bytes);
}

function parseV4(text: string): Uint8Array | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  const bytes = new Uint8Array(4);
  for (let i = 0; i < 4; i++) {
    const value = Number(parts[i]);
    // Back to the same text: no leading zeros, which some read as decimal and others as octal.
    if (String(value) !== parts[i] || !(value >= 0 && value <= 255)) return undefined;
    bytes[i] = value;
  }
  return bytes;
}

/** RFC 4291 section 2.2: groups, at most one "::", the last 32 bits dotted if one likes. */
function parseV6(text: string): Uint8Array | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0]!, halves.length === 1);
  const tail = halves.length === 2 ? parseGroups(halves[1]!, true) : [];
  if (!head || !tail) return undefined;
  const gap = 16 - head.length - tail.length;
  if (halves.length === 2 ? gap < 2 : gap !== 0) return undefined;
  return Uint8Array.from([...head, ...new Array<number>(gap).fill(0), ...tail]);
}

function parseGroups(text: string, mayEndDotted: boolean): number[] | undefined {
  const bytes: number[] = [];
  if (text === "") return bytes;
  const groups = text.split(":");
  for (let i = 0; i < groups.length; i++) {
    const group = groups[i]!;
    if (mayEndDotted && i === groups.length - 1 && group.includes(".")) {
      const v4 = parseV4(group);
      if (!v4) return undefined;
      bytes.push(...v4);
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return undefined;
      const value = Number.parseInt(group, 16);
      bytes.push(value >> 8, value & 0xff);
    }
  }
  return bytes;
}

function isMapped(bytes: Uint8Array): boolean {
  if (bytes.length !== 16 || bytes[10] !== 0xff || bytes[11] !== 0xff) return false;
  for (let i = 0; i < 10; i++) if (bytes[i] !== 0) return false;
  return true;
}

/** RFC 5952: lower case, the longest run of two or more zero groups (the first of equals) as "::". */
function formatV6(bytes: Uint8Array): string {
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push((bytes[i]! << 8) | bytes[i + 1]!);
  let from = 8;
  let longest = 1;
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (end < 8 && groups[end] === 0) end++;
    if (end - i > longest) {
      from = i;
      longest = end - i;
    }
  }
  const hex = (part: number[]) => part.map((group) => group.toString(16)).join(":");
  return from === 8 ? hex(groups) : `${hex(groups.slice(0, from))}::${hex(groups.slice(from + longest))}`;
}
