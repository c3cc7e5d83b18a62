// The bytecode of all modules, made by compile.c: for each its name (a path below src/) closed by a NUL, the length
// of its code as four bytes in little-endian order, and the code.
#pragma once
#include <stdint.h>

extern const uint8_t modules[], modules_end[];
