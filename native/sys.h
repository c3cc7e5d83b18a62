// The table of system calls. It knows no JavaScript engine: engine.c binds it to QuickJS, node.c to Node.
// The process that uses it must ignore SIGPIPE: Node's does, others call sys_begin.
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

#define SYS_MAX_ARGS 7

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

// To be called first in a program of our own: keeps its arguments, ignores SIGPIPE, and sees to it that descriptors 0, 1
// and 2 are open.
void sys_begin(int argc, char **argv);
