#include "inflate.h"
#include <string.h>

enum { MAX_BITS = 15, FAST_BITS = 10, LITERALS = 288, DISTANCES = 32, END = 256 };

// A Huffman code (section 3.2.2). Codes of up to FAST_BITS are found at once by the bits that come next; longer ones by
// counting.
typedef struct {
  uint16_t fast[1 << FAST_BITS]; // symbol * 16 + length; 0 for longer ones
  uint16_t count[MAX_BITS + 1], symbol[LITERALS];
} Code;

typedef struct {
  const uint8_t *in;
  uint64_t bits;
  int count;
} Stream;

// At least 56 bits are there then.
static inline void refill(Stream *s) {
  uint64_t more;
  memcpy(&more, s->in, sizeof more); // little-endian, as all that we build for
  s->bits |= more << s->count;
  s->in += (63 - s->count) >> 3;
  s->count |= 56;
}

static inline unsigned take(Stream *s, int n) {
  unsigned value = s->bits & ((1ULL << n) - 1);
  s->bits >>= n, s->count -= n;
  return value;
}

static void build(Code *c, const uint8_t *lengths, int n) {
  uint16_t offset[MAX_BITS + 2] = {0};
  memset(c->fast, 0, sizeof c->fast);
  memset(c->count, 0, sizeof c->count);
  for (int i = 0; i < n; i++) c->count[lengths[i]]++;
  c->count[0] = 0;
  for (int l = 1; l <= MAX_BITS; l++) offset[l + 1] = offset[l] + c->count[l];
  for (int i = 0; i < n; i++)
    if (lengths[i]) c->symbol[offset[lengths[i]]++] = i;
  for (unsigned l = 1, code = 0, k = 0; l <= FAST_BITS; l++, code <<= 1)
    for (int i = 0; i < c->count[l]; i++, code++, k++) {
      unsigned reversed = 0;
      for (unsigned b = 0; b < l; b++) reversed |= (code >> b & 1) << (l - 1 - b);
      for (; reversed < 1 << FAST_BITS; reversed += 1 << l) c->fast[reversed] = c->symbol[k] << 4 | l;
    }
}

static int slow(Stream *s, const Code *c) {
  int code = 0, first = 0, index = 0;
  for (int l = 1;; l++) {
    code |= take(s, 1);
    if (code - first < c->count[l]) return c->symbol[index + code - first];
    index += c->count[l], first = (first + c->count[l]) << 1, code <<= 1;
  }
}

static inline int decode(Stream *s, const Code *c) {
  unsigned entry = c->fast[s->bits & ((1 << FAST_BITS) - 1)];
  if (!entry) return slow(s, c);
  take(s, entry & 15);
  return entry >> 4;
}

// The codes of a block that brings its own (section 3.2.7).
static void read_codes(Stream *s, Code *literal, Code *distance) {
  static const uint8_t order[] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
  uint8_t lengths[LITERALS + DISTANCES + 140] = {0};
  refill(s);
  int literals = take(s, 5) + 257, distances = take(s, 5) + 1, codes = take(s, 4) + 4;
  for (int i = 0; i < codes; i++) refill(s), lengths[order[i]] = take(s, 3);
  build(literal, lengths, 19);
  memset(lengths, 0, 19);
  for (int i = 0; i < literals + distances;) {
    refill(s);
    int symbol = decode(s, literal), length = symbol, times = 1;
    if (symbol >= 16) {
      length = symbol == 16 ? lengths[i - 1] : 0;
      times = symbol == 16 ? 3 + take(s, 2) : symbol == 17 ? 3 + take(s, 3) : 11 + take(s, 7);
    }
    while (times--) lengths[i++] = length;
  }
  build(distance, lengths + literals, distances);
  build(literal, lengths, literals);
}

// The codes of a block that has none (section 3.2.6).
static void fixed_codes(Code *literal, Code *distance) {
  uint8_t lengths[LITERALS];
  for (int i = 0; i < LITERALS; i++) lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
  build(literal, lengths, LITERALS);
  memset(lengths, 5, DISTANCES);
  build(distance, lengths, DISTANCES);
}

static uint8_t *read_block(Stream *s, const Code *literal, const Code *distance, uint8_t *out) {
  for (;;) {
    refill(s);
    int symbol = decode(s, literal);
    if (symbol < END) {
      *out++ = symbol;
      continue;
    }
    if (symbol == END) return out;
    // Section 3.2.5: four (or two) symbols for each number of extra bits.
    int l = symbol - 257, extra = l < 8 || l == 28 ? 0 : (l >> 2) - 1;
    size_t n = l == 28 ? 258 : l < 8 ? l + 3u : 3 + ((4u + (l & 3)) << extra) + take(s, extra);
    int d = decode(s, distance);
    extra = d < 4 ? 0 : (d >> 1) - 1;
    refill(s);
    size_t back = d < 4 ? d + 1u : 1 + ((2u + (d & 1)) << extra) + take(s, extra);
    const uint8_t *from = out - back;
    uint8_t *end = out + n;
    if (back >= 8)
      for (; out < end; out += 8, from += 8) memcpy(out, from, 8);
    else
      while (out < end) *out++ = *from++; // it repeats what it writes
    out = end;
  }
}

// A block that is not packed begins with the next whole byte (section 3.2.4).
static uint8_t *read_plain(Stream *s, uint8_t *out) {
  s->in -= s->count >> 3;
  s->bits = s->count = 0;
  size_t n = s->in[0] | s->in[1] << 8;
  memcpy(out, s->in + 4, n);
  s->in += 4 + n;
  return out + n;
}

uint8_t *inflate(const uint8_t *in, uint8_t *out) {
  Stream s = {in, 0, 0};
  static Code literal, distance;
  for (int last = 0; !last;) {
    refill(&s);
    last = take(&s, 1);
    switch (take(&s, 2)) {
    case 0:
      out = read_plain(&s, out);
      break;
    case 1:
      fixed_codes(&literal, &distance);
      out = read_block(&s, &literal, &distance, out);
      break;
    default:
      read_codes(&s, &literal, &distance);
      out = read_block(&s, &literal, &distance, out);
    }
  }
  return out;
}
