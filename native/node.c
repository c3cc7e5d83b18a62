// The table of system calls as an addon of Node: for tests, and for runtimes that import the library.
#include "sys.h"
#include <node_api.h>
#include <stdlib.h>
#include <string.h>

// One argument of the given kind; false if the value has another type.
static bool take(napi_env env, napi_value value, char kind, Arg *a) {
  napi_valuetype type;
  napi_typedarray_type elements;
  bool typed = false;
  napi_typeof(env, value, &type);
  if (kind == 'i') return type == napi_number && napi_get_value_int64(env, value, &a->i) == napi_ok;
  if (kind == 'b')
    return napi_is_typedarray(env, value, &typed) == napi_ok && typed &&
           napi_get_typedarray_info(env, value, &elements, &a->n, (void **)&a->p, NULL, NULL) == napi_ok &&
           elements == napi_uint8_array;
  if (type != napi_string || napi_get_value_string_utf8(env, value, NULL, 0, &a->n) != napi_ok) return false;
  return (a->p = malloc(a->n + 1)) && napi_get_value_string_utf8(env, value, (char *)a->p, a->n + 1, &a->n) == napi_ok;
}

static napi_value give(napi_env env, char kind, int64_t number, const Out *out) {
  napi_value value = NULL, buffer;
  void *data;
  if (number < 0 || kind == 'i') napi_create_int64(env, number, &value);
  else if (kind == 't') napi_create_string_utf8(env, (char *)out->p, out->n, &value);
  else if (napi_create_arraybuffer(env, out->n, &data, &buffer) == napi_ok) {
    if (out->n) memcpy(data, out->p, out->n);
    napi_create_typedarray(env, napi_uint8_array, out->n, buffer, 0, &value);
  }
  return value;
}

static napi_value call(napi_env env, napi_callback_info info) {
  const Sys *sys;
  size_t given = SYS_MAX_ARGS;
  napi_value values[SYS_MAX_ARGS], value = NULL;
  Arg a[SYS_MAX_ARGS] = {0};
  Out out = {0};
  napi_get_cb_info(env, info, &given, values, NULL, (void **)&sys);
  int wanted = strlen(sys->signature) - 1, k = 0;
  while (k < wanted && take(env, values[k], sys->signature[k + 1], &a[k])) k++;
  if (k < wanted) napi_throw_type_error(env, NULL, sys->name);
  else value = give(env, sys->signature[0], sys_invoke(sys, a, &out), &out);
  free(out.p);
  for (k = 0; k < wanted; k++)
    if (strchr("st", sys->signature[k + 1])) free(a[k].p);
  return value;
}

NAPI_MODULE_INIT() {
  for (const Sys *sys = sys_table; sys->name; sys++) {
    napi_value function;
    napi_create_function(env, sys->name, NAPI_AUTO_LENGTH, call, (void *)sys, &function);
    napi_set_named_property(env, exports, sys->name, function);
  }
  return exports;
}
