// Memory for the engine.
#pragma once
#include <quickjs.h>

extern const JSMallocFunctions arena;
