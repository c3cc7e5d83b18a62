// Packs bytecode into blocks (see modules.h); inflate.c unpacks one in 50 microseconds.
import { constants, deflateRawSync } from "node:zlib";

/** Bytes of bytecode in a block, at least: with less, too little repeats itself. */
const BLOCK = 24 << 10;
/** inflate.c reads ahead: eight bytes, when up to eight others wait to be used. */
const MARGIN = Buffer.alloc(16);

/**
 * Packs modules, as compile.c writes them: name, NUL, length, bytecode. `groups`: of how many modules, one behind the other,
 * are loaded together; none is torn.
 */
export function pack(modules, groups) {
  const blocks = [];
  let block = { names: [], parts: [], size: 0 };
  let at = 0;
  for (const count of groups) {
    for (let i = 0; i < count; i++) {
      const code = modules.indexOf(0, at) + 1;
      const end = code + 4 + modules.readUInt32LE(code);
      block.names.push(modules.subarray(at, code));
      block.parts.push(modules.subarray(code, end));
      block.size += end - code;
      at = end;
    }
    if (block.size < BLOCK && at < modules.length) continue;
    if (block.size > 0) blocks.push(packed(block));
    block = { names: [], parts: [], size: 0 };
  }
  return Buffer.concat(blocks);
}

function packed({ names, parts, size }) {
  const options = { level: constants.Z_BEST_COMPRESSION, memLevel: constants.Z_MAX_MEMLEVEL };
  const bytes = Buffer.concat([deflateRawSync(Buffer.concat(parts), options), MARGIN]);
  const lengths = Buffer.alloc(8);
  lengths.writeUInt32LE(size);
  lengths.writeUInt32LE(bytes.length, 4);
  return Buffer.concat([...names, Buffer.of(0), lengths, bytes]);
}
