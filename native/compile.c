// Build tool: compiles ES modules to bytecode. The file has for each its name, a NUL, the length of its bytecode as four
// bytes in little-endian order, and that.
//   compile OUT ROOT MODULE...     MODULE: a path below ROOT, and the name under which it is imported
#include <quickjs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *slurp(const char *path, size_t *n) {
  FILE *f = fopen(path, "rb");
  if (!f || fseek(f, 0, SEEK_END)) return NULL;
  long size = ftell(f);
  rewind(f);
  char *text = malloc(size + 1);
  if (!text || fread(text, 1, size, f) != (size_t)size) return NULL;
  text[*n = size] = 0;
  fclose(f);
  return text;
}

// Imports are bound when the executable runs.
static JSModuleDef *unbound(JSContext *ctx, const char *name, void *opaque) {
  (void)opaque;
  return JS_NewCModule(ctx, name, NULL);
}

int main(int argc, char **argv) {
  FILE *out = argc > 2 ? fopen(argv[1], "wb") : NULL;
  if (!out) return fprintf(stderr, "usage: compile OUT ROOT MODULE...\n"), 2;
  JSRuntime *rt = JS_NewRuntime();
  JSContext *ctx = JS_NewContext(rt);
  JS_SetModuleLoaderFunc(rt, NULL, unbound, NULL);
  for (int i = 3; i < argc; i++) {
    char path[4096];
    size_t n, size;
    snprintf(path, sizeof path, "%s/%s", argv[2], argv[i]);
    char *source = slurp(path, &n);
    if (!source) return perror(path), 1;
    JSValue module = JS_Eval(ctx, source, n, argv[i], JS_EVAL_TYPE_MODULE | JS_EVAL_FLAG_COMPILE_ONLY);
    if (JS_IsException(module)) {
      JSValue error = JS_GetException(ctx);
      return fprintf(stderr, "%s: %s\n", argv[i], JS_ToCString(ctx, error)), 1;
    }
    // Line numbers stay, so that a stack names the TypeScript; the source text goes.
    uint8_t *code = JS_WriteObject(ctx, &size, module, JS_WRITE_OBJ_BYTECODE | JS_WRITE_OBJ_STRIP_SOURCE);
    if (!code) return fprintf(stderr, "%s: no bytecode\n", argv[i]), 1;
    fwrite(argv[i], 1, strlen(argv[i]) + 1, out);
    for (int shift = 0; shift < 32; shift += 8) fputc(size >> shift & 255, out);
    fwrite(code, 1, size, out);
    js_free(ctx, code);
    free(source);
  }
  return fclose(out) != 0;
}
