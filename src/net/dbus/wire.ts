import type { Host } from "../../host/host.ts";

/**
 * Messages of D-Bus as bytes (D-Bus specification, "Marshaling" and "Message Protocol"). All basic and container types
 * are known, so that whatever a peer says can be read.
 */

/** A value: x and t are bigints, a and ( ) lists, an entry of a dictionary a list of two. */
export type Value = boolean | number | bigint | string | Variant | readonly Value[];

/** A value of any single type (v). */
export interface Variant {
  readonly signature: string;
  readonly value: Value;
}

export const METHOD_CALL = 1;
export const METHOD_RETURN = 2;
export const ERROR = 3;
export const SIGNAL = 4;

/** The optional header fields: their numbers and types. */
const FIELDS = {
  path: [1, "o"],
  interface: [2, "s"],
  member: [3, "s"],
  errorName: [4, "s"],
  replySerial: [5, "u"],
  destination: [6, "s"],
  sender: [7, "s"],
  signature: [8, "g"],
} as const;

export interface Message {
  readonly type: number;
  readonly flags?: number | undefined;
  /** Not 0; what a reply names as its `replySerial`. */
  readonly serial: number;
  readonly path?: string | undefined;
  readonly interface?: string | undefined;
  readonly member?: string | undefined;
  readonly errorName?: string | undefined;
  readonly replySerial?: number | undefined;
  /** The receiver; messages to the other end itself have none. */
  readonly destination?: string | undefined;
  readonly sender?: string | undefined;
  /** The types of `body`'s values. */
  readonly signature?: string | undefined;
  readonly body?: readonly Value[] | undefined;
}

/** Bytes that are no message, or values that do not fit their types. */
export class DBusWireError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "DBusWireError";
  }
}

/** Little-endian, version 1; then the length of the body, the serial number and the header fields. */
const LITTLE_ENDIAN = 0x6c;
const VERSION = 1;
const HEADER = "yyyyuua(yv)";
/** What comes before the header fields, their length included. */
export const FIXED_HEADER = 16;

/** How many bytes a number of each type has, which is its alignment too. */
const SIZES: Readonly<Record<string, number>> = {
  y: 1,
  n: 2,
  q: 2,
  b: 4,
  i: 4,
  u: 4,
  h: 4,
  x: 8,
  t: 8,
  d: 8,
};

export function encodeMessage(host: Host, message: Message): Uint8Array {
  const { type, flags = 0, serial, signature = "", body = [] } = message;
  const content = new DBusWriter(host);
  content.values(signature, body);
  const fields = Object.entries(FIELDS).flatMap(([name, [code, fieldType]]): Value[] => {
    const value = message[name as keyof typeof FIELDS];
    return value === undefined || value === "" ? [] : [[code, { signature: fieldType, value }]];
  });
  const head = [LITTLE_ENDIAN, type, flags, VERSION, content.bytes.length, serial, fields];
  const whole = new DBusWriter(host);
  whole.values(HEADER, head);
  whole.align(8);
  return Uint8Array.from(whole.bytes.concat(content.bytes));
}

/** The length of the message that begins with these FIXED_HEADER bytes. */
export function messageLength(host: Host, start: Uint8Array): number {
  const reader = new DBusReader(host, start);
  const [, , , version, body, , fields] = reader.values("yyyyuuu") as number[];
  if (version !== VERSION) throw new DBusWireError(`D-Bus version ${version} is not spoken here`);
  return ((FIXED_HEADER + fields! + 7) & ~7) + body!;
}

/** Reads one whole message. */
export function decodeMessage(host: Host, bytes: Uint8Array): Message {
  const reader = new DBusReader(host, bytes);
  const [, type, flags, , , serial, fields] = reader.values(HEADER);
  reader.align(8);
  const message: Record<string, unknown> = { type, flags, serial };
  for (const [code, { value }] of fields as [number, Variant][])
    for (const [name, [number]] of Object.entries(FIELDS)) if (number === code) message[name] = value;
  const { signature = "" } = message;
  return { ...message, body: reader.values(signature as string) } as unknown as Message;
}

/** The single types of a signature: `a{sv}`, `u` and `(ss)` of `a{sv}u(ss)`. */
export function splitSignature(signature: string): string[] {
  const types: string[] = [];
  for (let at = 0; at < signature.length; ) {
    const end = endOfType(signature, at);
    types.push(signature.slice(at, end));
    at = end;
  }
  return types;
}

function endOfType(signature: string, at: number): number {
  const first = signature[at];
  if (first === "a") return endOfType(signature, at + 1);
  if (first === undefined) throw new DBusWireError(`incomplete signature "${signature}"`);
  if (first !== "(" && first !== "{") return at + 1;
  const close = first === "(" ? ")" : "}";
  let end = at + 1;
  while (signature[end] !== close) end = endOfType(signature, end);
  // Nothing would be read, for ever, in an array of these.
  if (end === at + 1) throw new DBusWireError(`empty struct in signature "${signature}"`);
  return end + 1;
}

/** Structs, dictionary entries and arrays of them begin at a multiple of 8. */
function alignmentOf(type: string): number {
  const first = type[0]!;
  if (first === "(" || first === "{") return 8;
  return first === "g" || first === "v" ? 1 : (SIZES[first] ?? 4);
}

function membersOf(type: string): string {
  return type.slice(1, -1);
}

class DBusWriter {
  /** Messages here have some hundred bytes. */
  readonly bytes: number[] = [];
  readonly #host: Host;

  constructor(host: Host) {
    this.#host = host;
  }

  align(to: number): void {
    while (this.bytes.length % to !== 0) this.bytes.push(0);
  }

  values(signature: string, values: readonly Value[]): void {
    const types = splitSignature(signature);
    if (types.length !== values.length)
      throw new DBusWireError(`${values.length} values for the signature "${signature}"`);
    types.forEach((type, index) => void this.#value(type, values[index]!));
  }

  #value(type: string, value: Value): void {
    const first = type[0]!;
    this.align(alignmentOf(type));
    if (first === "s" || first === "o") this.#text(4, value as string);
    else if (first === "g") this.#text(1, value as string);
    else if (first === "v") this.#variant(value as Variant);
    else if (first === "a") this.#array(type.slice(1), value as readonly Value[]);
    else if (first === "(" || first === "{") this.values(membersOf(type), value as readonly Value[]);
    else this.#number(type, value as number | bigint | boolean);
  }

  #variant({ signature, value }: Variant): void {
    this.#text(1, signature);
    this.#value(signature, value);
  }

  #number(type: string, value: number | bigint | boolean): void {
    const size = SIZES[type];
    if (size === undefined || type === "d") throw new DBusWireError(`values of type ${type} are not written`);
    const bits = BigInt.asUintN(64, BigInt(value));
    for (let k = 0; k < size; k++) this.bytes.push(Number((bits >> BigInt(8 * k)) & 0xffn));
  }

  /** A text with its length in front, in 1 or 4 bytes, and a NUL behind. */
  #text(lengthSize: 1 | 4, text: string): void {
    const utf8 = this.#host.encode(text);
    if (utf8.includes(0)) throw new DBusWireError(`${JSON.stringify(text)} has a NUL`);
    this.#number(lengthSize === 1 ? "y" : "u", utf8.length);
    for (const byte of utf8) this.bytes.push(byte);
    this.bytes.push(0);
  }

  /** The length in front counts no padding before the first item. */
  #array(itemType: string, items: readonly Value[]): void {
    const lengthAt = this.bytes.length;
    this.#number("u", 0);
    this.align(alignmentOf(itemType));
    const start = this.bytes.length;
    for (const item of items) this.#value(itemType, item);
    const length = this.bytes.length - start;
    for (let k = 0; k < 4; k++) this.bytes[lengthAt + k] = (length >>> (8 * k)) & 0xff;
  }
}

class DBusReader {
  readonly #host: Host;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #little: boolean;
  #at = 0;

  /** `bytes`: from a message's beginning on, which says the byte order. */
  constructor(host: Host, bytes: Uint8Array) {
    this.#host = host;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#little = bytes[0] === LITTLE_ENDIAN;
  }

  align(to: number): void {
    this.#at = Math.ceil(this.#at / to) * to;
  }

  values(signature: string): Value[] {
    return splitSignature(signature).map((type) => this.#value(type));
  }

  #value(type: string): Value {
    this.align(alignmentOf(type));
    switch (type[0]!) {
      case "s":
      case "o":
        return this.#text(this.#number("u") as number);
      case "g":
        return this.#text(this.#number("y") as number);
      case "v": {
        const signature = this.#text(this.#number("y") as number);
        return { signature, value: this.#value(signature) };
      }
      case "a":
        return this.#array(type.slice(1));
      case "(":
      case "{":
        return this.values(membersOf(type));
      case "b":
        return this.#number("u") !== 0;
      default:
        return this.#number(type);
    }
  }

  #array(itemType: string): Value[] {
    const length = this.#number("u") as number;
    this.align(alignmentOf(itemType));
    const end = this.#at + length;
    const items: Value[] = [];
    while (this.#at < end) items.push(this.#value(itemType));
    return items;
  }

  #text(length: number): string {
    const start = this.#take(length + 1);
    return this.#host.decode(this.#bytes.subarray(start, start + length));
  }

  #number(type: string): number | bigint {
    const size = SIZES[type];
    if (size === undefined) throw new DBusWireError(`there is no type ${type}`);
    const at = this.#take(size);
    const [view, little] = [this.#view, this.#little];
    switch (type) {
      case "y":
        return view.getUint8(at);
      case "n":
        return view.getInt16(at, little);
      case "q":
        return view.getUint16(at, little);
      case "i":
        return view.getInt32(at, little);
      case "x":
        return view.getBigInt64(at, little);
      case "t":
        return view.getBigUint64(at, little);
      case "d":
        return view.getFloat64(at, little);
      default:
        return view.getUint32(at, little);
    }
  }

  #take(count: number): number {
    const at = this.#at;
    if (at + count > this.#bytes.length) throw new DBusWireError("a message ends too early");
    this.#at = at + count;
    return at;
  }
}
