// Memory for the engine. A plugin call makes some thousand small objects and ends: they are cut from large chunks,
// and freed ones wait in a list of their size. A daemon uses the same memory again and again.
//
// The first chunk is a section of the executable, the image. While the executable is built, it is run once: it
// starts the engine, loads all modules, and its memory is written back into that section. Every later run finds the
// engine started, at the same addresses, and the kernel reads only the pages that the call touches.
#include "arena.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { STEP = 16, SMALL = 1024, CHUNK = 256 << 10, HEADER = 8 };

// Before each block stands its size. The smallest payload holds the link of the list of free blocks.
typedef struct Block {
  size_t size;
  struct Block *next;
} Block;

typedef struct {
  void *root;
  bool writing;
  uint8_t *next, *end; // what is left of the chunk
  Block *free_blocks[SMALL / STEP + 1];
  Block *free_large; // of the image, while it is written
} State;

// The section: this state, then memory. Its size is decided by the build (image.S).
extern uint8_t image[], image_end[];
#define state (*(State *)image)

static bool in_image(const void *p) { return (uint8_t *)p >= image && (uint8_t *)p < image_end; }

static Block *block_of(const void *p) { return (Block *)((uint8_t *)p - HEADER); }

// Payloads are STEP * n - HEADER bytes, so that with the header blocks stay aligned.
static size_t rounded(size_t size) { return (size + HEADER + STEP - 1) / STEP * STEP - HEADER; }

static void *cut(size_t size) {
  size_t whole = size + HEADER;
  if ((size_t)(state.end - state.next) < whole) {
    if (state.writing) fputs("the image is too small\n", stderr), exit(1);
    // Populated at once: a page fault for each page would cost more than the call's own work.
    uint8_t *fresh = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (fresh == MAP_FAILED) return NULL;
    state.next = fresh + HEADER, state.end = fresh + CHUNK; // payloads at multiples of 16
  }
  Block *b = (Block *)state.next;
  state.next += whole;
  b->size = size;
  return (uint8_t *)b + HEADER;
}

// The first free block that is large enough, and not half as large again.
static void *take_large(size_t size) {
  for (Block **list = &state.free_large, *b; (b = *list); list = &b->next) {
    if (b->size < size || b->size > size + size / 2) continue;
    *list = b->next;
    return (uint8_t *)b + HEADER;
  }
  return cut(size);
}

static void *take(void *opaque, size_t size) {
  (void)opaque;
  size = rounded(size);
  if (size > SMALL && !state.writing) {
    uint8_t *p = malloc(size + STEP);
    if (!p) return NULL;
    block_of(p + STEP)->size = size;
    return p + STEP;
  }
  if (size > SMALL) return take_large(size);
  Block **list = &state.free_blocks[size / STEP], *b = *list;
  if (!b) return cut(size);
  *list = b->next;
  return (uint8_t *)b + HEADER;
}

static void release(void *opaque, void *p) {
  (void)opaque;
  if (!p) return;
  Block *b = block_of(p);
  if (b->size > SMALL && !in_image(p)) {
    free((uint8_t *)p - STEP);
    return;
  }
  Block **list = b->size > SMALL ? &state.free_large : &state.free_blocks[b->size / STEP];
  b->next = *list;
  *list = b;
}

static void *take_zeroed(void *opaque, size_t count, size_t size) {
  if (size && count > SIZE_MAX / 2 / size) return NULL;
  void *p = take(opaque, count * size);
  return p ? memset(p, 0, count * size) : NULL;
}

static void *resize(void *opaque, void *p, size_t size) {
  if (!p) return take(opaque, size);
  Block *b = block_of(p);
  if (rounded(size) <= b->size && b->size <= SMALL) return p;
  if (b->size > SMALL && size > SMALL && !in_image(p)) {
    size = rounded(size);
    uint8_t *moved = realloc((uint8_t *)p - STEP, size + STEP);
    if (!moved) return NULL;
    block_of(moved + STEP)->size = size;
    return moved + STEP;
  }
  void *fresh = take(opaque, size);
  if (!fresh) return NULL;
  memcpy(fresh, p, b->size < size ? b->size : size);
  release(opaque, p);
  return fresh;
}

static size_t usable(const void *p) { return p ? block_of(p)->size : 0; }

const JSMallocFunctions arena = {take_zeroed, take, release, resize, usable};

void *image_root(void) { return state.root; }

bool image_begin(void) {
  uint8_t *memory = image + (sizeof(State) + STEP - 1) / STEP * STEP + HEADER;
  if (state.root || memory >= image_end) return false;
  state.writing = true;
  state.next = memory, state.end = image_end;
  return true;
}

int image_write(const char *path, void *root) {
  FILE *f = fopen(path, "wb");
  state.root = root;
  state.writing = false;
  if (!f || fwrite(image, 1, image_end - image, f) != (size_t)(image_end - image) || fclose(f)) return perror(path), 1;
  printf("%zu\n", (size_t)(state.next - image));
  return 0;
}
