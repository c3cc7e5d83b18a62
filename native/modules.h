// The bytecode of modules, in blocks of such as are loaded together. A block is:
//
//   the names of its modules (paths below src/), a NUL behind each and behind the last one more
//   two lengths, of four bytes in little-endian order: unpacked, and packed
//   packed by zlib's deflateRaw: for each module the length of its bytecode, and that
//
// compile.c makes the bytecode, pack.mjs the blocks, engine.c reads them.
#pragma once
#include <stdint.h>

extern const uint8_t modules[], modules_end[];
