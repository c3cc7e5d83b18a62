// The memory of the process, and its image: what the engine's memory was when the executable was built.
#pragma once
#include <quickjs.h>
#include <stdbool.h>

extern const JSMallocFunctions arena;

// What image_write was given when the executable was built; NULL if there is no image.
void *image_root(void);

// From now on all memory comes from the image. False if there is none, or it is written already.
bool image_begin(void);

// Writes the image as it is now to a file, for the build to put into the executable.
int image_write(const char *path, void *root);
