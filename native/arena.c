// Memory for the engine. A plugin call makes some ten thousand small objects and ends: they are cut from large
// chunks, and freed ones wait in a list of their size. A daemon uses the same memory again and again.
#include "arena.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { STEP = 16, SMALL = 1024, CHUNK = 256 << 10, HEADER = 8 };

// Before each block stands its size. The smallest payload holds the link of the list of free blocks.
typedef struct Block {
  size_t size;
  struct Block *next;
} Block;

static uint8_t *chunk, *chunk_end;
static Block *free_blocks[SMALL / STEP + 1];

static Block *block_of(const void *p) { return (Block *)((uint8_t *)p - HEADER); }

// Payloads are STEP * n - HEADER bytes, so that with the header blocks stay aligned.
static size_t rounded(size_t size) { return (size + HEADER + STEP - 1) / STEP * STEP - HEADER; }

static void *cut(size_t size) {
  size_t whole = size + HEADER;
  if ((size_t)(chunk_end - chunk) < whole) {
    // Populated at once: a page fault for each page would cost more than the call's own work.
    uint8_t *fresh = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (fresh == MAP_FAILED) return NULL;
    chunk = fresh + HEADER, chunk_end = fresh + CHUNK; // payloads at multiples of 16
  }
  Block *b = (Block *)chunk;
  chunk += whole;
  b->size = size;
  return (uint8_t *)b + HEADER;
}

static void *take(void *opaque, size_t size) {
  (void)opaque;
  size = rounded(size);
  if (size > SMALL) {
    uint8_t *p = malloc(size + STEP);
    if (!p) return NULL;
    Block *b = (Block *)(p + STEP - HEADER);
    b->size = size;
    return p + STEP;
  }
  Block **list = &free_blocks[size / STEP], *b = *list;
  if (!b) return cut(size);
  *list = b->next;
  return (uint8_t *)b + HEADER;
}

static void release(void *opaque, void *p) {
  (void)opaque;
  if (!p) return;
  Block *b = block_of(p);
  if (b->size > SMALL) {
    free((uint8_t *)p - STEP);
    return;
  }
  Block **list = &free_blocks[b->size / STEP];
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
  if (b->size > SMALL && size > SMALL) {
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
