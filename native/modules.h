// The bytecode of every module, made by compile.c and linked into the executable.
#pragma once
#include <stdint.h>

typedef struct {
  const char *name; // path below src/
  const uint8_t *start, *end;
} Module;

extern const Module modules[]; // ends with a null name
