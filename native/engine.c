// The executable: QuickJS, the modules' bytecode, and the table of system calls as `globalThis.sys`.
#include "arena.h"
#include "modules.h"
#include "sys.h"
#include <quickjs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

static JSValue call(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv, int index) {
  (void)self;
  const Sys *sys = &sys_table[index];
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

static JSModuleDef *load(JSContext *ctx, const char *name, void *opaque) {
  (void)opaque;
  for (const Module *m = modules; m->name; m++) {
    if (strcmp(m->name, name)) continue;
    JSValue value = JS_ReadObject(ctx, m->start, m->end - m->start, JS_READ_OBJ_BYTECODE);
    if (JS_IsException(value)) return NULL;
    JSModuleDef *module = JS_VALUE_GET_PTR(value);
    JS_FreeValue(ctx, value);
    return module;
  }
  JS_ThrowReferenceError(ctx, "no module %s", name);
  return NULL;
}

// Everything of ECMAScript but eval, WeakRef's collection callbacks and DOMException.
static JSContext *new_context(JSRuntime *rt) {
  JSContext *c = JS_NewContextRaw(rt);
  return c && !JS_AddIntrinsicBaseObjects(c) && !JS_AddIntrinsicDate(c) && !JS_AddIntrinsicRegExp(c) &&
                 !JS_AddIntrinsicJSON(c) && !JS_AddIntrinsicProxy(c) && !JS_AddIntrinsicMapSet(c) &&
                 !JS_AddIntrinsicTypedArrays(c) && !JS_AddIntrinsicPromise(c) && !JS_AddIntrinsicBigInt(c)
             ? c
             : NULL;
}

// The last word of a call that went wrong in a way nobody caught: the stack on stderr, a CNI error object on stdout.
static int fatal(JSContext *ctx, JSValue error) {
  const char *message = JS_ToCString(ctx, error);
  JSValue stack = JS_IsError(error) ? JS_GetPropertyStr(ctx, error, "stack") : JS_UNDEFINED;
  const char *trace = JS_IsString(stack) ? JS_ToCString(ctx, stack) : NULL;
  JSValue object = JS_NewObject(ctx);
  JS_SetPropertyStr(ctx, object, "cniVersion", JS_NewString(ctx, "1.1.0"));
  JS_SetPropertyStr(ctx, object, "code", JS_NewInt32(ctx, 999));
  JS_SetPropertyStr(ctx, object, "msg", JS_NewString(ctx, message ? message : "unknown error"));
  JS_SetPropertyStr(ctx, object, "details", JS_NewString(ctx, "This is a fault of plumb itself: please report it with the stack that is on stderr."));
  JSValue json = JS_JSONStringify(ctx, object, JS_UNDEFINED, JS_UNDEFINED);
  const char *text = JS_IsException(json) ? NULL : JS_ToCString(ctx, json);
  fprintf(stderr, "plumb: %s\n%s", message ? message : "unknown error", trace ? trace : "");
  puts(text ? text : "{\"cniVersion\":\"1.1.0\",\"code\":999,\"msg\":\"out of memory\"}");
  fflush(NULL);
  return 1;
}

// Rejected promises that nobody has handled yet, the first of which is reported.
static JSValue rejections;

static void track(JSContext *ctx, JSValueConst promise, JSValueConst reason, bool handled, void *opaque) {
  (void)opaque;
  JSValue map = rejections, key = JS_DupValue(ctx, promise);
  JSAtom name = JS_NewAtom(ctx, handled ? "delete" : "set");
  JSValueConst arguments[] = {key, reason};
  JS_FreeValue(ctx, JS_Invoke(ctx, map, name, handled ? 1 : 2, arguments));
  JS_FreeAtom(ctx, name);
  JS_FreeValue(ctx, key);
}

// The reason of the first unhandled rejection, or undefined.
static JSValue first_rejection(JSContext *ctx) {
  JSAtom values = JS_NewAtom(ctx, "values"), next = JS_NewAtom(ctx, "next");
  JSValue iterator = JS_Invoke(ctx, rejections, values, 0, NULL);
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
  rejections = JS_CallConstructor(ctx, map, 0, NULL);
  JS_FreeValue(ctx, map);
  JS_FreeValue(ctx, global);
}

static int run(JSRuntime *rt, JSContext *ctx) {
  JSModuleDef *entry = load(ctx, ENTRY, NULL);
  if (!entry) return fatal(ctx, JS_GetException(ctx));
  JSValue module = JS_MKPTR(JS_TAG_MODULE, entry);
  if (JS_ResolveModule(ctx, module) < 0) return fatal(ctx, JS_GetException(ctx));
  JSValue done = JS_EvalFunction(ctx, module);
  if (JS_IsException(done)) return fatal(ctx, JS_GetException(ctx));
  JSContext *job;
  int r;
  while ((r = JS_ExecutePendingJob(rt, &job)) > 0) ;
  if (r < 0) return fatal(job, JS_GetException(job));
  if (JS_PromiseState(ctx, done) == JS_PROMISE_REJECTED) return fatal(ctx, JS_PromiseResult(ctx, done));
  JSValue rejection = first_rejection(ctx);
  return JS_IsUndefined(rejection) ? 0 : fatal(ctx, rejection);
}

int main(int argc, char **argv) {
  signal(SIGPIPE, SIG_IGN); // a closed pipe is an error to handle; children get the default back
  sys_set_arguments(argc, argv);
  JSRuntime *rt = JS_NewRuntime2(&arena, NULL);
  JSContext *ctx = rt ? new_context(rt) : NULL;
  if (!ctx) return fputs("plumb: out of memory\n", stderr), 1;
  JS_SetMaxStackSize(rt, 4 << 20);  // of the usual 8 MiB
  JS_SetGCThreshold(rt, 16 << 20);  // a plugin call ends before its first collection
  JS_SetModuleLoaderFunc(rt, NULL, load, NULL);
  JS_SetHostPromiseRejectionTracker(rt, track, NULL);
  bind_system_calls(ctx);
  _exit(run(rt, ctx)); // the kernel frees faster than we could
}
