/**
 * Bytes of netlink messages: fixed headers in the machine's byte order (little-endian on all that we
 * build for), then attributes, each a struct nlattr (linux/netlink.h): u16 length with this header,
 * u16 type, payload, padding to 4 bytes.
 */

const NLA_F_NESTED = 0x8000;
/** The two highest bits of an attribute's type are flags. */
const NLA_TYPE_MASK = 0x3fff;
const HEADER = 4;
const NOT_ASCII = /[\x80-\uffff]/;

const align = (length: number): number => (length + 3) & ~3;

/**
 * Appends numbers, bytes and attributes to a growing buffer. Every method gives the writer back. The engine writes
 * single bytes, and reads `private` fields, faster than it calls methods of a DataView and reads #fields.
 */
export class Writer {
  private bytes: Uint8Array;
  private size = 0;

  constructor(capacity = 256) {
    this.bytes = new Uint8Array(capacity);
  }

  get length(): number {
    return this.size;
  }

  /** What was written so far: a view, valid until the next write. */
  finish(): Uint8Array {
    return this.bytes.subarray(0, this.size);
  }

  u8(value: number): this {
    const at = this.grow(1);
    this.bytes[at] = value;
    return this;
  }

  u16(value: number): this {
    put16(this.grow(2), value, this.bytes);
    return this;
  }

  u32(value: number): this {
    put32(this.grow(4), value, this.bytes);
    return this;
  }

  /** An integer up to 2^53. */
  u64(value: number): this {
    return this.u32(value % 2 ** 32).u32(Math.floor(value / 2 ** 32));
  }

  /** In network byte order. */
  be16(value: number): this {
    return this.u8(value >>> 8).u8(value);
  }

  /** In network byte order. */
  be32(value: number): this {
    return this.be16(value >>> 16).be16(value & 0xffff);
  }

  /** In network byte order, up to 2^53. */
  be64(value: number): this {
    return this.be32(Math.floor(value / 2 ** 32)).be32(value % 2 ** 32);
  }

  raw(bytes: Uint8Array): this {
    const at = this.grow(bytes.length);
    this.bytes.set(bytes, at);
    return this;
  }

  zeros(count: number): this {
    this.grow(count);
    return this;
  }

  /** Zeros up to the next multiple of 4. */
  pad(): this {
    return this.zeros(align(this.size) - this.size);
  }

  bytesAttribute(type: number, value: Uint8Array): this {
    const at = this.attribute(type, value.length);
    this.bytes.set(value, at);
    return this;
  }

  /** UTF-8, closed by a NUL: names of links, tables, chains. */
  textAttribute(type: number, value: string): this {
    const text = utf8Of(value);
    const at = this.attribute(type, text.length + 1);
    const { bytes } = this;
    for (let i = 0; i < text.length; i++) bytes[at + i] = text.charCodeAt(i);
    return this;
  }

  u8Attribute(type: number, value: number): this {
    const at = this.attribute(type, 1);
    this.bytes[at] = value;
    return this;
  }

  u16Attribute(type: number, value: number): this {
    put16(this.attribute(type, 2), value, this.bytes);
    return this;
  }

  u32Attribute(type: number, value: number): this {
    put32(this.attribute(type, 4), value, this.bytes);
    return this;
  }

  u64Attribute(type: number, value: number): this {
    return this.header(type, 8).u64(value);
  }

  be16Attribute(type: number, value: number): this {
    return this.header(type, 2).be16(value).zeros(2);
  }

  be32Attribute(type: number, value: number): this {
    return this.header(type, 4).be32(value);
  }

  be64Attribute(type: number, value: number): this {
    return this.header(type, 8).be64(value);
  }

  flagAttribute(type: number): this {
    return this.header(type, 0);
  }

  /** An attribute whose payload is what `write` appends: other attributes, or a struct and attributes. */
  nest(type: number, write: (into: this) => void): this {
    const at = this.size;
    this.u16(0).u16(type | NLA_F_NESTED);
    write(this);
    put16(at, checkedLength(this.size - at, type), this.bytes);
    return this.pad();
  }

  /** The header of an attribute; the payload, `size` bytes without padding, follows. */
  private header(type: number, size: number): this {
    return this.u16(checkedLength(HEADER + size, type)).u16(type);
  }

  /** An attribute with a payload of zeros, and where that begins. It may replace the buffer: as `grow`. */
  private attribute(type: number, size: number): number {
    const length = checkedLength(HEADER + size, type);
    const at = this.grow(align(length));
    put16(at, length, this.bytes);
    put16(at + 2, type, this.bytes);
    return at + HEADER;
  }

  /** Room for `count` bytes, and where it begins. It may replace the buffer: call it before reading that. */
  private grow(count: number): number {
    const at = this.size;
    this.size += count;
    if (this.size > this.bytes.length) {
      const larger = new Uint8Array(Math.max(this.bytes.length * 2, this.size));
      larger.set(this.bytes.subarray(0, at));
      this.bytes = larger;
    }
    return at;
  }
}

/** `at` comes first: finding it may replace the buffer that is read after it. */
function put16(at: number, value: number, into: Uint8Array): void {
  into[at] = value;
  into[at + 1] = value >>> 8;
}

function put32(at: number, value: number, into: Uint8Array): void {
  into[at] = value;
  into[at + 1] = value >>> 8;
  into[at + 2] = value >>> 16;
  into[at + 3] = value >>> 24;
}

/** An attribute's length has 16 bits. */
function checkedLength(length: number, type: number): number {
  if (length > 0xffff) throw new WireError(`attribute ${type} of ${length} bytes, 65535 are possible`);
  return length;
}

/** A message that does not have the form its type demands. */
export class WireError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "WireError";
  }
}

/** Reads numbers at an offset of some bytes; WireError behind their end. */
export class Reader {
  /** All readers of a datagram share it. */
  private readonly data: Uint8Array;
  private readonly start: number;
  readonly length: number;

  /** `start` and `length` are within the data. */
  constructor(data: Uint8Array, start = 0, length = data.length) {
    this.data = data;
    this.start = start;
    this.length = length;
  }

  /** A view of the bytes. */
  get bytes(): Uint8Array {
    return this.data.subarray(this.start, this.start + this.length);
  }

  /** The part from `at`, of `length` bytes or to the end. */
  from(at: number, length = this.length - at): Reader {
    return new Reader(this.data, this.at(at, length), length);
  }

  u8(at = 0): number {
    return this.data[this.at(at, 1)]!;
  }

  u16(at = 0): number {
    return get16(this.data, this.at(at, 2));
  }

  u32(at = 0): number {
    return get32(this.data, this.at(at, 4)) >>> 0;
  }

  i32(at = 0): number {
    return get32(this.data, this.at(at, 4));
  }

  /** Exact to 2^53. */
  u64(at = 0): number {
    return this.u32(at) + this.u32(at + 4) * 2 ** 32;
  }

  be16(at = 0): number {
    return (this.u8(at) << 8) | this.u8(at + 1);
  }

  be32(at = 0): number {
    return this.be16(at) * 2 ** 16 + this.be16(at + 2);
  }

  /** Exact to 2^53. */
  be64(at = 0): number {
    return this.be32(at) * 2 ** 32 + this.be32(at + 4);
  }

  /** UTF-8 up to a NUL or the end. */
  text(): string {
    let bytes = "";
    for (let i = 0; i < this.length && this.u8(i) !== 0; i++) bytes += String.fromCharCode(this.u8(i));
    return textOf(bytes);
  }

  /** The attributes from `at` to the end, by type; of a type that comes twice, the last. */
  attributes(at = 0): Attributes {
    const offsets = new Map<number, number>();
    const found = this.scan(at);
    for (let i = 0; i < found.length; i += 2) offsets.set(found[i]!, found[i + 1]!);
    return new Attributes(this.data, offsets);
  }

  /** The attributes from `at` to the end, in their order: for lists, whose elements share a type. */
  attributeList(at = 0): [type: number, payload: Reader][] {
    const list: [number, Reader][] = [];
    const found = this.scan(at);
    for (let i = 0; i < found.length; i += 2) list.push([found[i]!, payloadAt(this.data, found[i + 1]!)]);
    return list;
  }

  /** Type and place in the data of each attribute, in turn. */
  private scan(from: number): number[] {
    const { data } = this;
    const end = this.start + this.length;
    const found: number[] = [];
    for (let at = this.at(from, 0); at + HEADER <= end; ) {
      const length = data[at]! | (data[at + 1]! << 8);
      if (length < HEADER || at + length > end)
        throw new WireError(`attribute of ${length} bytes where ${end - at} are left`);
      found.push((data[at + 2]! | (data[at + 3]! << 8)) & NLA_TYPE_MASK, at);
      at += (length + 3) & ~3;
    }
    return found;
  }

  private at(at: number, count: number): number {
    if (at < 0 || count < 0 || at + count > this.length)
      throw new WireError(`message of ${this.length} bytes where ${at + count} were needed`);
    return this.start + at;
  }
}

function get16(data: Uint8Array, at: number): number {
  return data[at]! | (data[at + 1]! << 8);
}

function get32(data: Uint8Array, at: number): number {
  return data[at]! | (data[at + 1]! << 8) | (data[at + 2]! << 16) | (data[at + 3]! << 24);
}

function payloadAt(data: Uint8Array, offset: number): Reader {
  return new Reader(data, offset + HEADER, get16(data, offset) - HEADER);
}

/** The attributes of a message, by type. An answer about one link has sixty, of which a few are looked at. */
export class Attributes {
  private readonly data: Uint8Array;
  private readonly offsets: ReadonlyMap<number, number>;

  constructor(data: Uint8Array, offsets: ReadonlyMap<number, number>) {
    this.data = data;
    this.offsets = offsets;
  }

  has(type: number): boolean {
    return this.offsets.has(type);
  }

  /** The payload. */
  get(type: number): Reader | undefined {
    const offset = this.offsets.get(type);
    return offset === undefined ? undefined : payloadAt(this.data, offset);
  }

  /** The types that are there, in their order. */
  types(): number[] {
    return [...this.offsets.keys()];
  }
}

/** No attributes at all. */
export const NO_ATTRIBUTES = new Attributes(new Uint8Array(), new Map());

/** The UTF-8 of a text, each byte as a character. */
function utf8Of(text: string): string {
  if (!NOT_ASCII.test(text)) return text;
  const byte = (_: string, hex: string) => String.fromCharCode(Number.parseInt(hex, 16));
  return encodeURIComponent(text).replace(/%(..)/g, byte);
}

/** The opposite of `utf8Of`. What is not UTF-8 (the kernel takes any bytes for a name) reads as Latin-1. */
function textOf(bytes: string): string {
  if (!NOT_ASCII.test(bytes)) return bytes;
  try {
    return decodeURIComponent(
      bytes.replace(/[\s\S]/g, (c) => `%${c.charCodeAt(0).toString(16).padStart(2, "0")}`),
    );
  } catch {
    return bytes;
  }
}
