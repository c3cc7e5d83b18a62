import { WireError } from "../netlink/codec.ts";
import { printable } from "./bytes.ts";

/** Lengths in the text; on the wire a name has two bytes more (RFC 1035, section 2.3.4). */
const MAX_NAME = 253;
const MAX_LABEL = 63;
/** More are no search list: two bytes that point to a long name make another one of it. */
const MAX_NAMES = 64;
/** Pointers may lead to pointers, and to each other. */
const MAX_POINTERS = 16;
/** The two highest bits of a length: the rest of the name stands where the other 14 say. */
const POINTER = 0xc0;

/** Whether a text may be written into a file like resolv.conf as a name: letters, digits, `-`, `_` and dots. */
export function isDomainName(text: string): boolean {
  return text.length <= MAX_NAME && /^[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*$/i.test(text);
}

/**
 * Names in the form of RFC 1035, section 3.1, one after the other; the root, which is also used for padding, is left
 * out. Pointers (section 4.1.4) count from the first byte. Throws WireError, also for what `isDomainName` refuses.
 */
export function decodeNames(bytes: Uint8Array, allowPointers: boolean): string[] {
  const names: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const { name, end } = decodeName(bytes, at, allowPointers);
    at = end;
    if (name === "") continue;
    if (!isDomainName(name)) throw new WireError(`"${name}" is no domain name`);
    if (names.push(name) > MAX_NAMES) throw new WireError(`more than ${MAX_NAMES} domain names`);
  }
  return names;
}

/** The name at `start`, and where the next one begins. */
function decodeName(bytes: Uint8Array, start: number, allowPointers: boolean): { name: string; end: number } {
  const labels: string[] = [];
  let end: number | undefined;
  let [at, length, pointers] = [start, 0, 0];
  for (;;) {
    const size = byteAt(bytes, at++);
    if (size === 0) break;
    if (size <= MAX_LABEL) {
      labels.push(decodeLabel(bytes.subarray(at, at + size)));
      at += size;
      length += size + 1;
      if (length > MAX_NAME + 1) throw new WireError(`a domain name of more than ${MAX_NAME} characters`);
    } else {
      if (size < POINTER || !allowPointers) throw new WireError(`a label of ${size} bytes in a domain name`);
      const target = (size - POINTER) * 0x100 + byteAt(bytes, at++);
      end ??= at;
      if (target >= start) throw new WireError("a domain name that points forward, or to itself");
      if (++pointers > MAX_POINTERS)
        throw new WireError(`a domain name with more than ${MAX_POINTERS} pointers`);
      at = target;
    }
  }
  return { name: labels.join("."), end: end ?? at };
}

/** A dot within a label would make two of it. */
function decodeLabel(bytes: Uint8Array): string {
  const label = printable(bytes);
  if (label.includes(".")) throw new WireError(`a dot in the label "${label}"`);
  return label;
}

function byteAt(bytes: Uint8Array, at: number): number {
  const byte = bytes[at];
  if (byte === undefined) throw new WireError("a domain name that does not end");
  return byte;
}
