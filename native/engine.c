// The executable: QuickJS, our modules, and the table of system calls as `globalThis.sys`.
#include "arena.h"
#include "inflate.h"
#include "modules.h"
#include "sys.h"
#include <fcntl.h>
#include <quickjs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void free_bytes(JSRuntime *rt, void *opaque, void *p) {
  (void)rt, (void)opaque;
  free(p);
}

// One argument of the given kind; false with an exception if the value has another type.
static bool take(JSContext *ctx, JSValueConst value, char kind, Arg *a) {
  if (kind == 'i' && JS_IsNumber(value)) return JS_ToInt64(ctx, &a->i, value) == 0;
  if (kind == 'b' && JS_GetTypedArrayType(value) == JS_TYPED_ARRAY_UINT8) {
    a->p = JS_GetUint8Array(ctx, &a->n, value);
    return !JS_HasException(ctx);
  }
  if ((kind == 's' || kind == 't') && JS_IsString(value)) return (a->p = (uint8_t *)JS_ToCStringLen(ctx, &a->n, value)) != NULL;
  JS_ThrowTypeError(ctx, "a system call was given a value of the wrong type");
  return false;
}

static JSValue give(JSContext *ctx, char kind, int64_t number, Out *out) {
  if (number < 0 || kind == 'i') return JS_NewInt64(ctx, number);
  if (kind == 't') return JS_NewStringLen(ctx, (char *)out->p, out->n);
  JSValue bytes = JS_NewUint8Array(ctx, out->p, out->n, free_bytes, NULL, false);
  out->p = NULL;
  return bytes;
}

// What a module does when it is imported must not depend on where and when: the image keeps it.
static bool making_image;

static JSValue call(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv, int index) {
  (void)self;
  const Sys *sys = &sys_table[index];
  if (making_image) return JS_ThrowInternalError(ctx, "%s was called while modules were loaded", sys->name);
  Arg a[SYS_MAX_ARGS] = {0};
  Out out = {0};
  JSValue value = JS_EXCEPTION;
  int wanted = strlen(sys->signature) - 1, k = 0;
  while (k < wanted && take(ctx, k < argc ? argv[k] : JS_UNDEFINED, sys->signature[k + 1], &a[k])) k++;
  if (k == wanted) {
    int64_t number = sys_invoke(sys, a, &out);
    value = give(ctx, sys->signature[0], number, &out);
  }
  free(out.p);
  for (k = 0; k < wanted; k++)
    if (a[k].p && sys->signature[k + 1] != 'b') JS_FreeCString(ctx, (char *)a[k].p);
  return value;
}

// A block of modules: see modules.h.
typedef struct {
  const char *names;
  const uint8_t *packed, *end;
  uint32_t size; // unpacked
} Block;

static uint32_t u32(const uint8_t *p) { return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24; }

// The block at `at`; where it ends the next begins.
static Block block_at(const uint8_t *at) {
  const uint8_t *p = at;
  while (*p) p += strlen((const char *)p) + 1;
  return (Block){(const char *)at, p + 9, p + 9 + u32(p + 5), u32(p + 1)};
}

// The bytecode of a block, in memory of its own: the image is to have none of it. It stays: while a module is read, those
// that it imports are.
static const uint8_t *unpacked(Block b) {
  typedef struct Unpacked {
    const char *names;
    struct Unpacked *next;
    uint8_t bytes[];
  } Unpacked;
  static Unpacked *all;
  for (Unpacked *known = all; known; known = known->next)
    if (known->names == b.names) return known->bytes;
  size_t size = sizeof(Unpacked) + b.size + INFLATE_MARGIN;
  Unpacked *new = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (new == MAP_FAILED) return NULL;
  inflate(b.packed, new->bytes);
  new->names = b.names, new->next = all;
  return (all = new)->bytes;
}

static JSModuleDef *read_module(JSContext *ctx, Block b, int index) {
  const uint8_t *at = unpacked(b);
  if (!at) return JS_ThrowOutOfMemory(ctx), NULL;
  while (index-- > 0) at += 4 + u32(at);
  JSValue value = JS_ReadObject(ctx, at + 4, u32(at), JS_READ_OBJ_BYTECODE);
  if (JS_IsException(value)) return NULL;
  JSModuleDef *module = JS_VALUE_GET_PTR(value);
  JS_FreeValue(ctx, value);
  return module;
}

// Where modules are searched: linked in, and a file besides when the image is made.
static struct {
  const uint8_t *start, *end;
} places[] = {{modules, modules_end}, {NULL, NULL}};

static JSModuleDef *load(JSContext *ctx, const char *name, void *opaque) {
  (void)opaque;
  for (int i = 0; i < 2; i++)
    for (const uint8_t *at = places[i].start; at < places[i].end; at = block_at(at).end) {
      int index = 0;
      for (const char *p = (const char *)at; *p; p += strlen(p) + 1, index++)
        if (!strcmp(p, name)) return read_module(ctx, block_at(at), index);
    }
  JS_ThrowReferenceError(ctx, "no module %s", name);
  return NULL;
}

// Everything of ECMAScript but eval, WeakRef's collection callbacks, DOMException, and what needs tables of Unicode.
static JSContext *new_context(JSRuntime *rt) {
  JSContext *c = JS_NewContextRaw(rt);
  return c && !JS_AddIntrinsicBaseObjects(c) && !JS_AddIntrinsicDate(c) && !JS_AddIntrinsicRegExp(c) &&
                 !JS_AddIntrinsicJSON(c) && !JS_AddIntrinsicProxy(c) && !JS_AddIntrinsicMapSet(c) &&
                 !JS_AddIntrinsicTypedArrays(c) && !JS_AddIntrinsicPromise(c) && !JS_AddIntrinsicBigInt(c)
             ? c
             : NULL;
}

// Makes a text a line: frames of a stack stand behind "<", the rest behind ";".
static void write_line(FILE *to, const char *text) {
  for (const char *p = text; *p; p++) {
    if (*p != '\n') { fputc(*p, to); continue; }
    while (p[1] == ' ' || p[1] == '\n') p++;
    if (!p[1]) return;
    fputs(!strncmp(p + 1, "at ", 3) ? (p += 3, " < ") : "; ", to);
  }
}

// The last word of a call that went wrong in a way nobody caught: a CNI error object on stdout, a line with the stack on stderr.
static int fatal(JSContext *ctx, JSValue error) {
  // The engine throws null when there is no memory even for an error.
  const char *message = JS_IsNull(error) ? "out of memory" : JS_ToCString(ctx, error);
  JSValue stack = JS_IsError(error) ? JS_GetPropertyStr(ctx, error, "stack") : JS_UNDEFINED;
  const char *trace = JS_IsString(stack) ? JS_ToCString(ctx, stack) : NULL;
  JSValue object = JS_NewObject(ctx);
  JS_SetPropertyStr(ctx, object, "cniVersion", JS_NewString(ctx, "1.1.0"));
  JS_SetPropertyStr(ctx, object, "code", JS_NewInt32(ctx, 999));
  JS_SetPropertyStr(ctx, object, "msg", JS_NewString(ctx, message ? message : "unknown error"));
  JS_SetPropertyStr(ctx, object, "details", JS_NewString(ctx, "This is a fault of plumb itself: please report it with the line that is on stderr."));
  JSValue json = JS_JSONStringify(ctx, object, JS_UNDEFINED, JS_UNDEFINED);
  const char *text = JS_IsException(json) ? NULL : JS_ToCString(ctx, json);
  puts(text ? text : "{\"cniVersion\":\"1.1.0\",\"code\":999,\"msg\":\"out of memory\"}");
  fputs("plumb: ", stderr);
  write_line(stderr, message ? message : "unknown error");
  fputs(" (code 999). This is a fault of plumb itself: please report it with this stack: ", stderr);
  while (trace && *trace == ' ') trace++;
  write_line(stderr, !trace ? "none" : !strncmp(trace, "at ", 3) ? trace + 3 : trace);
  fputc('\n', stderr);
  fflush(NULL);
  return 1;
}

// What the image keeps.
typedef struct {
  JSRuntime *runtime;
  JSContext *context;
  JSValue main;        // what the entry module exports by this name: an async function that gives the exit code
  JSValue rejections;  // promises that were rejected and that nobody has handled yet, with their reasons
} Engine;

static Engine *engine;

// In place of the engine's functions of these names, whose tables would take 45 KB (build.mjs has the linker do it). What
// they are for needs them while it is compiled: \p{…} in a regular expression that is written out. One that is put together
// at run time has no \p; -2 says that such a property is unknown.
int __wrap_unicode_script(void *range, const char *name, bool extended);
int __wrap_unicode_script(void *range, const char *name, bool extended) { return (void)range, (void)name, (void)extended, -2; }
int __wrap_unicode_prop(void *range, const char *name);
int __wrap_unicode_prop(void *range, const char *name) { return (void)range, (void)name, -2; }
int __wrap_unicode_general_category(void *range, const char *name);
int __wrap_unicode_general_category(void *range, const char *name) { return (void)range, (void)name, -2; }
int __wrap_unicode_sequence_prop(const char *name, void *call, void *opaque, void *range);
int __wrap_unicode_sequence_prop(const char *name, void *call, void *opaque, void *range) { return (void)name, (void)call, (void)opaque, (void)range, -2; }

// localeCompare compares what is written as it is written; normalize says that it cannot.
int __wrap_unicode_normalize(uint32_t **to, const uint32_t *text, int length, int form, void *opaque, void *(*resize)(void *, void *, size_t));
int __wrap_unicode_normalize(uint32_t **to, const uint32_t *text, int length, int form, void *opaque, void *(*resize)(void *, void *, size_t)) {
  (void)form;
  *to = NULL;
  if (opaque == engine->runtime) return JS_ThrowInternalError(engine->context, "this engine cannot normalize"), -1;
  if (!(*to = resize(opaque, NULL, (length + 1) * sizeof **to))) return -1;
  memcpy(*to, text, length * sizeof **to);
  return length;
}

static void track(JSContext *ctx, JSValueConst promise, JSValueConst reason, bool handled, void *opaque) {
  (void)opaque;
  JSAtom method = JS_NewAtom(ctx, handled ? "delete" : "set");
  JSValueConst arguments[] = {promise, reason};
  JS_FreeValue(ctx, JS_Invoke(ctx, engine->rejections, method, handled ? 1 : 2, arguments));
  JS_FreeAtom(ctx, method);
}

// The reason of the first rejection that nobody handled, or undefined.
static JSValue first_rejection(JSContext *ctx) {
  JSAtom values = JS_NewAtom(ctx, "values"), next = JS_NewAtom(ctx, "next");
  JSValue iterator = JS_Invoke(ctx, engine->rejections, values, 0, NULL);
  JSValue step = JS_Invoke(ctx, iterator, next, 0, NULL);
  return JS_GetPropertyStr(ctx, step, "value");
}

static void bind_system_calls(JSContext *ctx) {
  JSValue global = JS_GetGlobalObject(ctx), object = JS_NewObject(ctx), map = JS_GetPropertyStr(ctx, global, "Map");
  for (int i = 0; sys_table[i].name; i++) {
    const Sys *sys = &sys_table[i];
    JSValue function = JS_NewCFunctionMagic(ctx, call, sys->name, strlen(sys->signature) - 1, JS_CFUNC_generic_magic, i);
    JS_SetPropertyStr(ctx, object, sys->name, function);
  }
  JS_SetPropertyStr(ctx, global, "sys", object);
  engine->rejections = JS_CallConstructor(ctx, map, 0, NULL);
  JS_FreeValue(ctx, map);
  JS_FreeValue(ctx, global);
}

static bool start_engine(void) {
  engine = arena.js_calloc(NULL, 1, sizeof *engine);
  JSRuntime *rt = engine->runtime = JS_NewRuntime2(&arena, NULL);
  JSContext *ctx = engine->context = rt ? new_context(rt) : NULL;
  if (!ctx) return false;
  JS_SetMaxStackSize(rt, 4 << 20);  // of the usual 8 MiB
  JS_SetGCThreshold(rt, 16 << 20);  // a plugin call ends before its first collection
  JS_SetModuleLoaderFunc(rt, NULL, load, NULL);
  JS_SetHostPromiseRejectionTracker(rt, track, NULL);
  bind_system_calls(ctx);
  return true;
}

// Runs what waits for its turn. 0, or 1 after reporting what nobody caught.
static int finish(JSContext *ctx) {
  JSContext *job;
  int r;
  while ((r = JS_ExecutePendingJob(engine->runtime, &job)) > 0) ;
  if (r < 0) return fatal(job, JS_GetException(job));
  JSValue rejection = first_rejection(ctx);
  return JS_IsUndefined(rejection) ? 0 : fatal(ctx, rejection);
}

// Loads the entry module, and all that it imports at once.
static int load_entry(JSContext *ctx) {
  JSValue loaded = JS_LoadModule(ctx, NULL, ENTRY);
  if (JS_IsException(loaded)) return fatal(ctx, JS_GetException(ctx));
  if (finish(ctx)) return 1;
  if (JS_PromiseState(ctx, loaded) != JS_PROMISE_FULFILLED) return fatal(ctx, JS_PromiseResult(ctx, loaded));
  JSValue exports = JS_PromiseResult(ctx, loaded);
  engine->main = JS_GetPropertyStr(ctx, exports, "main");
  JS_FreeValue(ctx, exports);
  JS_FreeValue(ctx, loaded);
  return 0;
}

static int run(JSContext *ctx) {
  int32_t code = 1;
  JSValue done = JS_Call(ctx, engine->main, JS_UNDEFINED, 0, NULL);
  if (JS_IsException(done)) return fatal(ctx, JS_GetException(ctx));
  if (finish(ctx)) return 1;
  JS_ToInt32(ctx, &code, JS_PromiseResult(ctx, done));
  return code;
}

// The modules of a file of bytecode are loaded once, so that every later run finds their functions made.
static int make_image(const char *input, const char *output) {
  struct stat file;
  int fd = open(input, O_RDONLY);
  if (fd < 0 || fstat(fd, &file) < 0) return perror(input), 1;
  places[1].start = mmap(NULL, file.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
  places[1].end = places[1].start + file.st_size;
  if (!start_engine()) return fputs("out of memory\n", stderr), 1;
  JSContext *ctx = engine->context;
  making_image = true;
  if (load_entry(ctx)) return 1;
  JS_RunGC(engine->runtime);
  return image_write(output, engine);
}

int main(int argc, char **argv) {
  sys_begin(argc, argv);
  if ((engine = image_root())) JS_UpdateStackTop(engine->runtime);
  else if (argc == 4 && !strcmp(argv[1], "--make-image") && image_begin()) return make_image(argv[2], argv[3]);
  else if (!start_engine()) return fputs("plumb: out of memory\n", stderr), 1;
  else if (load_entry(engine->context)) return 1;
  _exit(run(engine->context)); // the kernel frees faster than we could
}
