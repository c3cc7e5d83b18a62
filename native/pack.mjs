// Packs bytecode into blocks (see modules.h), in the format of LZ4 (github.com/lz4/lz4, doc/lz4_Block_format.md): it takes
// its time when the executable is built, and is unpacked in microseconds.

/** Bytes of bytecode in a block: with less, too little repeats itself; with more, too much is unpacked for nothing. */
const BLOCK = 24 << 10;

const MIN_MATCH = 4;
/** The format ends with five literals, and begins no match in the last twelve bytes. */
const LAST_LITERALS = 5;
const NO_MATCH_FROM_END = 12;
const MAX_DISTANCE = 0xffff;

/** Packs modules, as compile.c writes them: name, NUL, length, bytecode. */
export function pack(modules) {
  const blocks = [];
  let block = { names: [], parts: [], size: 0 };
  for (let at = 0; at < modules.length; ) {
    const code = modules.indexOf(0, at) + 1;
    const end = code + 4 + modules.readUInt32LE(code);
    block.names.push(modules.subarray(at, code));
    block.parts.push(modules.subarray(code, end));
    block.size += end - code;
    at = end;
    if (block.size < BLOCK && at < modules.length) continue;
    blocks.push(packed(block));
    block = { names: [], parts: [], size: 0 };
  }
  return Buffer.concat(blocks);
}

function packed({ names, parts, size }) {
  const bytes = compress(Buffer.concat(parts));
  const lengths = Buffer.alloc(8);
  lengths.writeUInt32LE(size);
  lengths.writeUInt32LE(bytes.length, 4);
  return Buffer.concat([...names, Buffer.of(0), lengths, bytes]);
}

function compress(bytes) {
  const out = [];
  const find = matcher(bytes);
  const end = bytes.length - NO_MATCH_FROM_END;
  let literals = 0;
  for (let at = 0; at < end; ) {
    const match = find(at);
    // A longer match that begins one byte later is worth one more literal.
    if (match.length < MIN_MATCH || (at + 1 < end && find(at + 1).length > match.length)) {
      at++;
      continue;
    }
    emit(out, bytes.subarray(literals, at), match);
    literals = at += match.length;
  }
  emit(out, bytes.subarray(literals));
  return Uint8Array.from(out);
}

/** Gives a function that finds the longest earlier occurrence of what begins at a place. */
function matcher(bytes) {
  const places = new Map();
  let known = 0;
  const key = (at) => bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
  return (at) => {
    for (; known < at; known++) {
      const list = places.get(key(known));
      if (list) list.push(known);
      else places.set(key(known), [known]);
    }
    const best = { length: 0, distance: 0 };
    const limit = bytes.length - LAST_LITERALS;
    for (const place of places.get(key(at)) ?? []) {
      if (place >= at || at - place > MAX_DISTANCE) continue;
      let length = 0;
      while (at + length < limit && bytes[place + length] === bytes[at + length]) length++;
      if (length >= best.length) Object.assign(best, { length, distance: at - place });
    }
    return best;
  };
}

/** One sequence: literals, then a match, which the last sequence lacks. */
function emit(out, literals, match) {
  const matched = match ? match.length - MIN_MATCH : 0;
  out.push((Math.min(literals.length, 15) << 4) | Math.min(matched, 15));
  extend(out, literals.length);
  for (const byte of literals) out.push(byte);
  if (!match) return;
  out.push(match.distance & 0xff, match.distance >> 8);
  extend(out, matched);
}

/** What a length has beyond the four bits of its token. */
function extend(out, length) {
  if (length < 15) return;
  let rest = length - 15;
  for (; rest >= 255; rest -= 255) out.push(255);
  out.push(rest);
}
