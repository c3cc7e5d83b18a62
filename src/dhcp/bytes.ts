import { Ip } from "../address/ip.ts";
import { WireError } from "../netlink/codec.ts";

/** Reads what came from the network, one thing after the other, in network byte order; WireError at the end. */
export class BytesReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** How many bytes have not been read yet. */
  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  u8(): number {
    return this.#bytes[this.#take(1)]!;
  }

  u16(): number {
    return this.u8() * 0x100 + this.u8();
  }

  u32(): number {
    return this.u16() * 0x10000 + this.u16();
  }

  /** A view of the next bytes. */
  bytes(count: number): Uint8Array {
    const at = this.#take(count);
    return this.#bytes.subarray(at, at + count);
  }

  /** A view of all bytes that are left. */
  rest(): Uint8Array {
    return this.bytes(this.remaining);
  }

  /** An address of 4 or 16 bytes, which is no view. */
  ip(size: 4 | 16): Ip {
    return new Ip(this.bytes(size).slice());
  }

  #take(count: number): number {
    const at = this.#at;
    if (count > this.remaining) throw new WireError(`${this.remaining} bytes where ${count} were needed`);
    this.#at = at + count;
    return at;
  }
}

/** Bytes as ASCII; what cannot be printed becomes `?`, so that it can be logged. */
export function printable(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "?";
  return text;
}
