/**
 * Bytes of netlink messages: fixed headers in the machine's byte order (little-endian on all that we
 * build for), then attributes, each a struct nlattr (linux/netlink.h): u16 length with this header,
 * u16 type, payload, padding to 4 bytes.
 */

const NLA_F_NESTED = 0x8000;
/** The two highest bits of an attribute's type are flags. */
const NLA_TYPE_MASK = 0x3fff;
const HEADER = 4;

const align = (length: number): number => (length + 3) & ~3;

/** Appends numbers, bytes and attributes to a growing buffer. Every method gives the writer back. */
export class Writer {
  #bytes: Uint8Array;
  #view: DataView;
  #length = 0;

  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  get length(): number {
    return this.#length;
  }

  /** What was written so far: a view, valid until the next write. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  u8(value: number): this {
    this.#view.setUint8(this.#grow(1), value);
    return this;
  }

  u16(value: number): this {
    this.#view.setUint16(this.#grow(2), value, true);
    return this;
  }

  u32(value: number): this {
    this.#view.setUint32(this.#grow(4), value, true);
    return this;
  }

  /** An integer up to 2^53. */
  u64(value: number): this {
    return this.u32(value % 2 ** 32).u32(Math.floor(value / 2 ** 32));
  }

  /** In network byte order. */
  be16(value: number): this {
    this.#view.setUint16(this.#grow(2), value);
    return this;
  }

  /** In network byte order. */
  be32(value: number): this {
    this.#view.setUint32(this.#grow(4), value);
    return this;
  }

  /** In network byte order, up to 2^53. */
  be64(value: number): this {
    return this.be32(Math.floor(value / 2 ** 32)).be32(value % 2 ** 32);
  }

  raw(bytes: Uint8Array): this {
    const at = this.#grow(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }

  zeros(count: number): this {
    this.#grow(count);
    return this;
  }

  /** Zeros up to the next multiple of 4. */
  pad(): this {
    return this.zeros(align(this.#length) - this.#length);
  }

  bytesAttribute(type: number, value: Uint8Array): this {
    return this.u16(HEADER + value.length)
      .u16(type)
      .raw(value)
      .pad();
  }

  /** ASCII, closed by a NUL: names of links, tables, chains. */
  textAttribute(type: number, value: string): this {
    this.u16(HEADER + value.length + 1).u16(type);
    for (let i = 0; i < value.length; i++) this.u8(value.charCodeAt(i));
    return this.u8(0).pad();
  }

  u8Attribute(type: number, value: number): this {
    return this.u16(HEADER + 1)
      .u16(type)
      .u8(value)
      .zeros(3);
  }

  u16Attribute(type: number, value: number): this {
    return this.u16(HEADER + 2)
      .u16(type)
      .u16(value)
      .zeros(2);
  }

  u32Attribute(type: number, value: number): this {
    return this.u16(HEADER + 4)
      .u16(type)
      .u32(value);
  }

  u64Attribute(type: number, value: number): this {
    return this.u16(HEADER + 8)
      .u16(type)
      .u64(value);
  }

  be16Attribute(type: number, value: number): this {
    return this.u16(HEADER + 2)
      .u16(type)
      .be16(value)
      .zeros(2);
  }

  be32Attribute(type: number, value: number): this {
    return this.u16(HEADER + 4)
      .u16(type)
      .be32(value);
  }

  be64Attribute(type: number, value: number): this {
    return this.u16(HEADER + 8)
      .u16(type)
      .be64(value);
  }

  flagAttribute(type: number): this {
    return this.u16(HEADER).u16(type);
  }

  /** An attribute whose payload is what `write` appends: other attributes, or a struct and attributes. */
  nest(type: number, write: (into: this) => void): this {
    const at = this.#length;
    this.u16(0).u16(type | NLA_F_NESTED);
    write(this);
    this.#view.setUint16(at, this.#length - at, true);
    return this.pad();
  }

  /** Overwrites a u32 written before. */
  patchU32(at: number, value: number): void {
    this.#view.setUint32(at, value, true);
  }

  #grow(count: number): number {
    const at = this.#length;
    this.#length += count;
    if (this.#length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length));
      larger.set(this.#bytes.subarray(0, at));
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    return at;
  }
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
  readonly bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  u8(at = 0): number {
    this.#need(at, 1);
    return this.#view.getUint8(at);
  }

  u16(at = 0): number {
    this.#need(at, 2);
    return this.#view.getUint16(at, true);
  }

  u32(at = 0): number {
    this.#need(at, 4);
    return this.#view.getUint32(at, true);
  }

  i32(at = 0): number {
    this.#need(at, 4);
    return this.#view.getInt32(at, true);
  }

  /** Exact to 2^53. */
  u64(at = 0): number {
    return this.u32(at) + this.u32(at + 4) * 2 ** 32;
  }

  be16(at = 0): number {
    this.#need(at, 2);
    return this.#view.getUint16(at);
  }

  be32(at = 0): number {
    this.#need(at, 4);
    return this.#view.getUint32(at);
  }

  /** Exact to 2^53. */
  be64(at = 0): number {
    return this.be32(at) * 2 ** 32 + this.be32(at + 4);
  }

  /** ASCII up to a NUL or the end. */
  text(): string {
    const end = this.bytes.indexOf(0);
    return String.fromCharCode(...(end < 0 ? this.bytes : this.bytes.subarray(0, end)));
  }

  /** The attributes from `at` to the end, by type; of a type that comes twice, the last. */
  attributes(at = 0): Attributes {
    const found: Attributes = new Map();
    for (const [type, payload] of this.attributeList(at)) found.set(type, payload);
    return found;
  }

  /** The attributes from `at` to the end, in their order: for lists, whose elements share a type. */
  attributeList(at = 0): [type: number, payload: Reader][] {
    const list: [number, Reader][] = [];
    const end = this.bytes.length;
    for (let here = at; here + HEADER <= end; ) {
      const length = this.u16(here);
      if (length < HEADER || here + length > end)
        throw new WireError(`attribute of ${length} bytes where ${end - here} are left`);
      list.push([
        this.u16(here + 2) & NLA_TYPE_MASK,
        new Reader(this.bytes.subarray(here + HEADER, here + length)),
      ]);
      here += align(length);
    }
    return list;
  }

  #need(at: number, count: number): void {
    if (at + count > this.bytes.length)
      throw new WireError(`message of ${this.bytes.length} bytes where ${at + count} were needed`);
  }
}

export type Attributes = Map<number, Reader>;
