// Reads how long data is packed and unpacked (u32 each), and it packed, again and again; writes it unpacked. What it is
// unpacked from and to has just the margins that inflate.h asks for.
#include "inflate.h"
#include <stdio.h>
#include <stdlib.h>

int main(void) {
  for (uint32_t lengths[2]; fread(lengths, sizeof lengths, 1, stdin);) {
    uint8_t *in = malloc(lengths[0]), *out = malloc(lengths[1] + INFLATE_MARGIN);
    if (fread(in, 1, lengths[0], stdin) != lengths[0]) return 1;
    fwrite(out, 1, inflate(in, out) - out, stdout);
    free(in);
    free(out);
  }
  return fflush(stdout);
}
