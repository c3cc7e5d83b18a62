// Packs bytecode into blocks (see modules.h); inflate.c unpacks one in 50 microseconds.
import { constants, deflateRawSync } from "node:zlib";

/** Bytes of bytecode in a block, if groups are small: with less, too little repeats itself; with more, too much is unpacked for nothing. */
const BLOCK = 32 << 10;
/** inflate.c reads ahead: eight bytes, when up to eight others wait to be used. */
const MARGIN = Buffer.alloc(16);

/**
 * Packs modules, as compile.c writes them: name, NUL, length, bytecode. `groups`: of how many modules, one behind the other,
 * are loaded together; none is torn.
 */
export function pack(modules, groups) {
  const blocks = [];
  let block = emptyBlock();
  let at = 0;
  for (const count of groups) {
    const group = emptyBlock();
    for (let i = 0; i < count; i++) {
      const code = modules.indexOf(0, at) + 1;
      const end = code + 4 + modules.readUInt32LE(code);
      add(group, {
        names: [modules.subarray(at, code)],
        parts: [modules.subarray(code, end)],
        size: end - code,
      });
      at = end;
    }
    if (block.size > 0 && block.size + group.size > BLOCK) {
      blocks.push(packed(block));
      block = emptyBlock();
    }
    add(block, group);
  }
  if (block.size > 0) blocks.push(packed(block));
  return Buffer.concat(blocks);
}

function emptyBlock() {
  return { names: [], parts: [], size: 0 };
}

function add(block, { names, parts, size }) {
  block.names.push(...names);
  block.parts.push(...parts);
  block.size += size;
}

function packed({ names, parts, size }) {
  const options = { level: constants.Z_BEST_COMPRESSION, memLevel: constants.Z_MAX_MEMLEVEL };
  const bytes = Buffer.concat([deflateRawSync(Buffer.concat(parts), options), MARGIN]);
  const lengths = Buffer.alloc(8);
  lengths.writeUInt32LE(size);
  lengths.writeUInt32LE(bytes.length, 4);
  return Buffer.concat([...names, Buffer.of(0), lengths, bytes]);
}
