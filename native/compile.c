// Build tool: compiles ES modules to bytecode, and writes an assembler file that embeds it with its table.
//   compile OUT.S ROOT MODULE...     MODULE: a path below ROOT, and the name under which it is imported
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
  FILE *s = argc > 3 ? fopen(argv[1], "w") : NULL;
  if (!s) return fprintf(stderr, "usage: compile OUT.S ROOT MODULE...\n"), 2;
  JSRuntime *rt = JS_NewRuntime();
  JSContext *ctx = JS_NewContext(rt);
  JS_SetModuleLoaderFunc(rt, NULL, unbound, NULL);
  fputs(".section .rodata\n", s);
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
    fprintf(s, "n%d: .asciz \"%s\"\n.balign 8\nb%d:\n", i, argv[i], i);
    for (size_t at = 0; at < size; at++) fprintf(s, at % 32 ? ",%d" : "\n.byte %d", code[at]);
    fprintf(s, "\ne%d:\n", i);
    js_free(ctx, code);
    free(source);
  }
  fputs(".section .data.rel.ro,\"aw\"\n.balign 16\n.globl modules\nmodules:\n", s);
  for (int i = 3; i < argc; i++) fprintf(s, ".dc.a n%d, b%d, e%d\n", i, i, i);
  fputs(".dc.a 0, 0, 0\n.section .note.GNU-stack,\"\",%progbits\n", s);
  return fclose(s) != 0;
}
