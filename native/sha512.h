// SHA-512 (FIPS 180-4): digest of n bytes.
#pragma once
#include <stddef.h>
#include <stdint.h>

void sha512(const uint8_t *bytes, size_t n, uint8_t digest[64]);
