// Asks for memory as the engine does, and says what is wrong with what it is given.
#include "arena.h"
#include <stdint.h>
#include <stdio.h>
#include <string.h>

__asm__(".section .image, \"aw\", %progbits\n.balign 4096\n.globl image, image_end\nimage: .skip 1 << 20\nimage_end:\n.previous");

enum { MOST = 40 << 10 };

static int wrong;

static void expect(bool right, const char *what, size_t size) {
  if (!right) printf("%s: %zu bytes\n", what, size), wrong = 1;
}

static bool is_zero(const uint8_t *p, size_t size) {
  while (size && !p[size - 1]) size--;
  return size == 0;
}

// Blocks of a size: apart, aligned, zero if they are to be. Gives how many of those that are freed come back.
static int ask(size_t size) {
  enum { COUNT = 4 };
  uint8_t *first[COUNT], *second[COUNT];
  int again = 0;
  for (int i = 0; i < COUNT; i++) {
    first[i] = arena.js_malloc(NULL, size);
    expect((uintptr_t)first[i] % 16 == 0, "not aligned", size);
    expect(arena.js_malloc_usable_size(first[i]) >= size, "less than was asked for", size);
    memset(first[i], i + 1, size);
  }
  for (int i = 0; i < COUNT; i++) {
    for (size_t k = 0; k < size; k++)
      if (first[i][k] != i + 1) {
        expect(false, "blocks overlap", size);
        break;
      }
    arena.js_free(NULL, first[i]);
  }
  for (int i = 0; i < COUNT; i++) {
    second[i] = arena.js_calloc(NULL, 1, size);
    expect(is_zero(second[i], size), "not zero", size);
    for (int k = 0; k < COUNT; k++) again += second[i] == first[k];
  }
  for (int i = 0; i < COUNT; i++) arena.js_free(NULL, second[i]);
  return again;
}

int main(void) {
  image_begin();
  // A large block that was used and freed: others are cut from it.
  arena.js_free(NULL, memset(arena.js_malloc(NULL, 100 << 10), 0xff, 100 << 10));
  for (size_t size = 1; size < 2000; size += 100) expect(is_zero(arena.js_calloc(NULL, 1, size), size), "not zero", size), ask(size);
  image_write("/dev/null", NULL);
  for (size_t size = 1; size < MOST; size += size < 20 << 10 ? 1 : 97) expect(ask(size) == 4, "not used again", size);
  uint8_t *grown = arena.js_malloc(NULL, 1);
  *grown = 7;
  for (size_t size = 2; size < MOST; size++) grown = arena.js_realloc(NULL, grown, size);
  expect(*grown == 7, "lost when it grew", MOST);
  return wrong;
}
