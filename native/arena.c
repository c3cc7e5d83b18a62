// The memory of the process. A plugin call asks for some hundred blocks and ends: they are cut from chunks, and
// freed ones wait in a list of their size for the next who wants it. A daemon uses the same memory again and again.
//
// The first chunk is a section of the executable, the image. While the executable is built, it is run once: it
// starts the engine, loads the modules, and its memory is written back into that section. Every later run finds the
// engine started, at the same addresses, and the kernel reads only the pages that the call touches.
#include "arena.h"
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
  UNIT = 16,
  HEADER = 8,
  SMALL_UNITS = 64,               // up to here a list for each number of units
  LARGE = 16 << 10,               // what takes more is mapped alone
  CLASSES = SMALL_UNITS + 4 * 5,  // between, four to each doubling
  CHUNK = 64 << 10,
};

// Before each block stands the size of its payload, whose lowest bit says that it is mapped alone.
typedef struct Block {
  size_t size;
  struct Block *next; // the payload's beginning, while it is free
} Block;

typedef struct {
  void *root;
  bool writing;
  uint8_t *next, *end; // what is left of the chunk
  Block *free_blocks[CLASSES];
} State;

// The section: this state, then memory. Its size is decided by the build.
extern uint8_t image[], image_end[];
#define state (*(State *)image)

static Block *block_of(const void *p) { return (Block *)((uint8_t *)p - HEADER); }
static size_t size_of(const Block *b) { return b->size & ~(size_t)1; }

// The list for blocks of this many units, which are rounded up to its size.
static int class_of(size_t *units) {
  if (*units <= SMALL_UNITS) return *units - 1;
  int shift = 61 - __builtin_clzl(*units - 1); // so that three bits are left
  *units = ((*units - 1) >> shift << shift) + (1UL << shift);
  return SMALL_UNITS + (shift - 4) * 4 + ((*units - 1) >> shift) - 4;
}

// The sizes of large blocks are rounded to pages.
static void *map_block(size_t size) {
  size_t whole = (size + UNIT + 4095) & ~(size_t)4095;
  uint8_t *p = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) return NULL;
  block_of(p + UNIT)->size = (whole - UNIT) | 1;
  return p + UNIT;
}

static void *cut_from(uint8_t **chunk, size_t whole) {
  Block *b = (Block *)*chunk;
  *chunk += whole;
  b->size = whole - HEADER;
  return (uint8_t *)b + HEADER;
}

// A large block that was freed while the image was made: smaller ones are cut from it.
static uint8_t *spare, *spare_end;

static void *cut(size_t whole, bool *fresh) {
  if ((size_t)(spare_end - spare) >= whole) return *fresh = false, cut_from(&spare, whole);
  if ((size_t)(state.end - state.next) < whole) {
    if (state.writing) fputs("the image is too small\n", stderr), _Exit(1);
    // Populated at once: a page fault for each page costs more.
    uint8_t *fresh = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (fresh == MAP_FAILED) return NULL;
    state.next = fresh + HEADER, state.end = fresh + CHUNK; // payloads at multiples of UNIT
  }
  return cut_from(&state.next, whole);
}

// `fresh` tells that the block is zero.
static void *take(size_t size, bool *fresh) {
  *fresh = true;
  if (size > PTRDIFF_MAX - 8192) return errno = ENOMEM, NULL;
  bool large = size + HEADER > LARGE;
  if (large && !state.writing) return map_block(size);
  size_t units = (size + HEADER + UNIT - 1) / UNIT;
  if (units < 2) units = 2; // room for the link
  int class = large ? CLASSES : class_of(&units);
  Block *b = class < CLASSES ? state.free_blocks[class] : NULL;
  if (b) state.free_blocks[class] = b->next, *fresh = false;
  void *p = b ? (uint8_t *)b + HEADER : cut(units * UNIT, fresh);
  return p;
}

static void *plain(void *opaque, size_t size) {
  (void)opaque;
  bool fresh;
  return take(size, &fresh);
}

static void *zeroed(void *opaque, size_t count, size_t size) {
  (void)opaque;
  bool fresh;
  if (size && count > PTRDIFF_MAX / size) return errno = ENOMEM, NULL;
  void *p = take(count * size, &fresh);
  return p && !fresh ? memset(p, 0, count * size) : p;
}

static void release(void *opaque, void *p) {
  (void)opaque;
  if (!p) return;
  Block *b = block_of(p);
  if (b->size & 1) {
    munmap((uint8_t *)p - UNIT, size_of(b) + UNIT);
    return;
  }
  size_t units = (b->size + HEADER) / UNIT;
  if (b->size >= LARGE) { // of the image, which has a handful
    if (state.writing) spare = (uint8_t *)b, spare_end = spare + HEADER + b->size;
    return;
  }
  Block **list = &state.free_blocks[class_of(&units)];
  b->next = *list;
  *list = b;
}

static void *resized(void *opaque, void *p, size_t size) {
  (void)opaque;
  if (!p) return plain(NULL, size);
  size_t have = size_of(block_of(p));
  if (size <= have && (size >= have / 2 || have <= 256)) return p;
  void *moved = plain(NULL, size);
  if (!moved) return NULL;
  memcpy(moved, p, have < size ? have : size);
  release(NULL, p);
  return moved;
}

static size_t usable(const void *p) { return p ? size_of(block_of(p)) : 0; }

#ifdef __SANITIZE_ADDRESS__
// The sanitizers watch their own memory.
static void *own_malloc(void *opaque, size_t size) { (void)opaque; return malloc(size); }
static void *own_calloc(void *opaque, size_t count, size_t size) { (void)opaque; return calloc(count, size); }
static void own_free(void *opaque, void *p) { (void)opaque; free(p); }
static void *own_realloc(void *opaque, void *p, size_t size) { (void)opaque; return realloc(p, size); }
const JSMallocFunctions arena = {own_calloc, own_malloc, own_free, own_realloc, NULL};
void arena_unused(void) { (void)plain, (void)zeroed, (void)resized, (void)usable; }
#else
const JSMallocFunctions arena = {zeroed, plain, release, resized, usable};
void *malloc(size_t size) { return plain(NULL, size); }
void *calloc(size_t count, size_t size) { return zeroed(NULL, count, size); }
void free(void *p) { release(NULL, p); }
void *realloc(void *p, size_t size) { return resized(NULL, p, size); }
void *aligned_alloc(size_t alignment, size_t size) { return alignment <= UNIT ? plain(NULL, size) : (errno = ENOMEM, NULL); }
#endif

void *image_root(void) { return state.root; }

bool image_begin(void) {
  uint8_t *memory = image + (sizeof(State) + UNIT - 1) / UNIT * UNIT + HEADER;
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
