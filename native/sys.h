// The table of system calls. It knows no JavaScript engine: engine.c binds it to QuickJS, node.c to Node.
#pragma once
#include <stddef.h>
#include <stdint.h>

// An argument: `i` for an integer; `p` and `n` for bytes and strings (which end in a NUL that `n` leaves out).
typedef struct {
  uint8_t *p;
  size_t n;
  int64_t i;
} Arg;

// What a call gives besides its number: bytes from malloc, which the binding frees.
typedef struct {
  uint8_t *p;
  size_t n;
} Out;

#define SYS_MAX_ARGS 6

// `signature` is the kind of the result, then a letter an argument:
//   i integer   s string without NUL   t any text (lists of strings too)   b bytes
// A call fails by giving -errno.
typedef struct {
  const char *name, *signature;
  int64_t (*call)(const Arg *a, Out *out);
} Sys;

extern const Sys sys_table[]; // ends with a null name

// The checks that all calls share, then the call.
int64_t sys_invoke(const Sys *sys, const Arg *a, Out *out);

void sys_set_arguments(int argc, char **argv);
