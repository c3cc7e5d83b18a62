// Unpacks what zlib's deflateRaw made (RFC 1951).
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { INFLATE_MARGIN = 8 }; // as many bytes too many may be written; twice as many may be read

// `in` is ours: nothing in it is wrong. Gives where the output ends.
uint8_t *inflate(const uint8_t *in, uint8_t *out);
