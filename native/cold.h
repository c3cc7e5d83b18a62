// Functions of the engine that no call of a plugin comes through: the compiler makes them small rather than fast, and puts
// them apart from the others. (What calls come through, `valgrind --tool=callgrind` tells.) It is included before quickjs.c.
#pragma once
#include <quickjs.h>
#include <stdbool.h>

#define FUNCTION(name) static JSValue name(JSContext *, JSValueConst, int, JSValueConst *) __attribute__((cold));
#define WITH_MAGIC(name) static JSValue name(JSContext *, JSValueConst, int, JSValueConst *, int) __attribute__((cold));
#define MATH(name) static double name(double) __attribute__((cold));
#define GETTER(name) static JSValue name(JSContext *, JSValueConst) __attribute__((cold));

FUNCTION(js_Date_UTC) FUNCTION(js_Date_now) FUNCTION(js_Date_parse) FUNCTION(js_array_buffer_constructor) FUNCTION(js_array_buffer_isView)
FUNCTION(js_array_copyWithin) FUNCTION(js_array_fill) FUNCTION(js_array_lastIndexOf) FUNCTION(js_array_of) FUNCTION(js_array_toReversed)
FUNCTION(js_array_toSorted) FUNCTION(js_array_toSpliced) FUNCTION(js_array_toString) FUNCTION(js_array_with) FUNCTION(js_async_iterator_proto_dispose)
FUNCTION(js_atomics_isLockFree) FUNCTION(js_atomics_notify) FUNCTION(js_atomics_pause) FUNCTION(js_atomics_store) FUNCTION(js_atomics_wait)
FUNCTION(js_bigint_constructor) FUNCTION(js_bigint_toString) FUNCTION(js_bigint_valueOf) FUNCTION(js_boolean_toString) FUNCTION(js_boolean_valueOf)
FUNCTION(js_callsite_isnative) FUNCTION(js_dataview_constructor) FUNCTION(js_date_Symbol_toPrimitive) FUNCTION(js_date_constructor)
FUNCTION(js_date_getTime) FUNCTION(js_date_getTimezoneOffset) FUNCTION(js_date_setTime) FUNCTION(js_date_setYear) FUNCTION(js_date_toJSON)
FUNCTION(js_domexception_constructor) FUNCTION(js_error_capture_stack_trace) FUNCTION(js_error_isError) FUNCTION(js_error_toString)
FUNCTION(js_finrec_constructor) FUNCTION(js_finrec_register) FUNCTION(js_finrec_unregister) FUNCTION(js_function_proto) FUNCTION(js_function_toString)
FUNCTION(js_global_escape) FUNCTION(js_global_eval) FUNCTION(js_global_isFinite) FUNCTION(js_global_isNaN) FUNCTION(js_global_queueMicrotask)
FUNCTION(js_global_unescape) FUNCTION(js_iterator_concat) FUNCTION(js_iterator_concat_return) FUNCTION(js_iterator_constructor)
FUNCTION(js_iterator_from) FUNCTION(js_iterator_proto_dispose) FUNCTION(js_iterator_proto_reduce) FUNCTION(js_iterator_proto_toArray)
FUNCTION(js_map_groupBy) FUNCTION(js_math_clz32) FUNCTION(js_math_hypot) FUNCTION(js_math_random) FUNCTION(js_math_sumPrecise)
FUNCTION(js_number_isFinite) FUNCTION(js_number_isInteger) FUNCTION(js_number_isNaN) FUNCTION(js_number_isSafeInteger)
FUNCTION(js_number_toExponential) FUNCTION(js_number_toFixed) FUNCTION(js_number_toPrecision) FUNCTION(js_number_valueOf)
FUNCTION(js_object_defineProperties) FUNCTION(js_object_fromEntries) FUNCTION(js_object_getOwnPropertyDescriptors)
FUNCTION(js_object_getOwnPropertyNames) FUNCTION(js_object_getOwnPropertySymbols) FUNCTION(js_object_groupBy) FUNCTION(js_object_is)
FUNCTION(js_object_isPrototypeOf) FUNCTION(js_promise_race) FUNCTION(js_promise_try) FUNCTION(js_promise_withResolvers) FUNCTION(js_proxy_constructor)
FUNCTION(js_proxy_revocable) FUNCTION(js_reflect_apply) FUNCTION(js_reflect_construct) FUNCTION(js_reflect_deleteProperty) FUNCTION(js_reflect_get)
FUNCTION(js_reflect_has) FUNCTION(js_reflect_ownKeys) FUNCTION(js_reflect_set) FUNCTION(js_reflect_setPrototypeOf) FUNCTION(js_regexp_Symbol_match)
FUNCTION(js_regexp_Symbol_matchAll) FUNCTION(js_regexp_compile) FUNCTION(js_regexp_escape) FUNCTION(js_set_difference) FUNCTION(js_set_intersection)
FUNCTION(js_set_isDisjointFrom) FUNCTION(js_set_isSubsetOf) FUNCTION(js_set_isSupersetOf) FUNCTION(js_set_symmetricDifference) FUNCTION(js_set_union)
FUNCTION(js_shared_array_buffer_constructor) FUNCTION(js_string_at) FUNCTION(js_string_isWellFormed) FUNCTION(js_string_localeCompare)
FUNCTION(js_string_normalize) FUNCTION(js_string_raw) FUNCTION(js_string_repeat) FUNCTION(js_string_substr) FUNCTION(js_string_toString)
FUNCTION(js_string_toWellFormed) FUNCTION(js_symbol_constructor) FUNCTION(js_symbol_for) FUNCTION(js_symbol_keyFor) FUNCTION(js_symbol_toString)
FUNCTION(js_symbol_valueOf) FUNCTION(js_typed_array_at) FUNCTION(js_typed_array_base_constructor) FUNCTION(js_typed_array_copyWithin)
FUNCTION(js_typed_array_fill) FUNCTION(js_typed_array_from) FUNCTION(js_typed_array_reverse) FUNCTION(js_typed_array_sort)
FUNCTION(js_typed_array_toReversed) FUNCTION(js_typed_array_toSorted) FUNCTION(js_typed_array_with) FUNCTION(js_uint8array_from_base64)
FUNCTION(js_uint8array_from_hex) FUNCTION(js_uint8array_set_from_base64) FUNCTION(js_uint8array_set_from_hex) FUNCTION(js_uint8array_to_base64)
FUNCTION(js_uint8array_to_hex) FUNCTION(js_weakref_constructor) FUNCTION(js_weakref_deref)

WITH_MAGIC(get_date_field) WITH_MAGIC(get_date_string) WITH_MAGIC(js_array_buffer_resize) WITH_MAGIC(js_array_buffer_slice)
WITH_MAGIC(js_array_buffer_transfer) WITH_MAGIC(js_array_reduce) WITH_MAGIC(js_async_from_sync_iterator_next) WITH_MAGIC(js_async_generator_next)
WITH_MAGIC(js_atomics_op) WITH_MAGIC(js_bigint_asUintN) WITH_MAGIC(js_callsite_getfield) WITH_MAGIC(js_callsite_getnumber)
WITH_MAGIC(js_create_iterator_helper) WITH_MAGIC(js_dataview_getValue) WITH_MAGIC(js_dataview_setValue) WITH_MAGIC(js_disposable_stack_adopt)
WITH_MAGIC(js_disposable_stack_constructor) WITH_MAGIC(js_disposable_stack_defer) WITH_MAGIC(js_disposable_stack_dispose)
WITH_MAGIC(js_disposable_stack_move) WITH_MAGIC(js_disposable_stack_use) WITH_MAGIC(js_domexception_constructor0) WITH_MAGIC(js_global_decodeURI)
WITH_MAGIC(js_global_encodeURI) WITH_MAGIC(js_iterator_proto_func) WITH_MAGIC(js_map_forEach) WITH_MAGIC(js_object___defineGetter__)
WITH_MAGIC(js_object___lookupGetter__) WITH_MAGIC(js_object_defineProperty) WITH_MAGIC(js_object_getOwnPropertyDescriptor)
WITH_MAGIC(js_object_getPrototypeOf) WITH_MAGIC(js_object_isExtensible) WITH_MAGIC(js_object_isSealed) WITH_MAGIC(js_object_preventExtensions)
WITH_MAGIC(js_object_seal) WITH_MAGIC(js_promise_all) WITH_MAGIC(js_string_CreateHTML) WITH_MAGIC(js_typed_array_find)

GETTER(js_aggregate_error_constructor) GETTER(js_array_buffer_get_detached) GETTER(js_array_buffer_get_immutable) GETTER(js_bigint_to_string)
GETTER(js_dataview_get_buffer) GETTER(js_dataview_get_byteLength) GETTER(js_dataview_get_byteOffset) GETTER(js_domexception_get_code)
GETTER(js_error_get_prepareStackTrace) GETTER(js_error_get_stack) GETTER(js_error_get_stackTraceLimit) GETTER(js_function_proto_fileName)
GETTER(js_iterator_proto_get_toStringTag) GETTER(js_object_get___proto__) GETTER(js_proxy_getPrototypeOf) GETTER(js_proxy_revoke_constructor)
GETTER(js_regexp_get_flags) GETTER(js_symbol_get_description) GETTER(js_typed_array_get_byteLength) GETTER(js_typed_array_get_toStringTag)

MATH(js_math_acos) MATH(js_math_acosh) MATH(js_math_asin) MATH(js_math_asinh) MATH(js_math_atan) MATH(js_math_atanh) MATH(js_math_cbrt)
MATH(js_math_ceil) MATH(js_math_cos) MATH(js_math_cosh) MATH(js_math_exp) MATH(js_math_expm1) MATH(js_math_f16round) MATH(js_math_fround)
MATH(js_math_log) MATH(js_math_log10) MATH(js_math_log1p) MATH(js_math_log2) MATH(js_math_round) MATH(js_math_sign) MATH(js_math_sin)
MATH(js_math_sinh) MATH(js_math_sqrt) MATH(js_math_tan) MATH(js_math_tanh) MATH(js_math_trunc)

#undef FUNCTION
#undef WITH_MAGIC
#undef GETTER
#undef MATH

static int JS_AddIntrinsicAtomics(JSContext *ctx) __attribute__((cold));
static int JS_AddIntrinsicBasicObjects(JSContext *ctx) __attribute__((cold));
static JSValue js_array_buffer_constructor1(JSContext *ctx, JSValueConst new_target, uint64_t len, uint64_t *max_len) __attribute__((cold));
static JSValue js_array_buffer_get_byteLength(JSContext *ctx, JSValueConst this_val, int class_id) __attribute__((cold));
static JSValue js_array_buffer_get_maxByteLength(JSContext *ctx, JSValueConst this_val, int class_id) __attribute__((cold));
static JSValue js_array_buffer_get_resizable(JSContext *ctx, JSValueConst this_val, int class_id) __attribute__((cold));
static JSValue js_array_from_iterator(JSContext *ctx, uint32_t *plen, JSValueConst obj, JSValueConst method) __attribute__((cold));
static void js_array_iterator_mark(JSRuntime *rt, JSValueConst val, JS_MarkFunc *mark_func) __attribute__((cold));
static JSValue js_async_dispose_rethrow(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv, int magic, JSValueConst *func_data) __attribute__((cold));
static JSValue js_async_dispose_step(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv, int magic, JSValueConst *func_data) __attribute__((cold));
static JSValue js_async_dispose_to_undef(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv, int magic, JSValueConst *func_data) __attribute__((cold));
static void js_async_from_sync_iterator_finalizer(JSRuntime *rt, JSValueConst val) __attribute__((cold));
static void js_async_from_sync_iterator_mark(JSRuntime *rt, JSValueConst val, JS_MarkFunc *mark_func) __attribute__((cold));
static JSValue js_async_from_sync_iterator_unwrap(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv, int magic, JSValueConst *func_data) __attribute__((cold));
static JSValue js_async_from_sync_iterator_unwrap_func_create(JSContext *ctx, bool done) __attribute__((cold));
static void js_async_function_resolve_mark(JSRuntime *rt, JSValueConst val, JS_MarkFunc *mark_func) __attribute__((cold));
static void js_async_generator_finalizer(JSRuntime *rt, JSValueConst obj) __attribute__((cold));
static JSValue js_async_generator_function_call(JSContext *ctx, JSValueConst func_obj, JSValueConst this_obj, int argc, JSValueConst *argv, int flags) __attribute__((cold));
static void js_async_generator_mark(JSRuntime *rt, JSValueConst val, JS_MarkFunc *mark_func) __attribute__((cold));
static JSValue js_async_generator_resolve_function(JSContext *ctx, JSValueConst this_obj, int argc, JSValueConst *argv, int magic, JSValueConst *func_data) __attribute__((cold));
static int js_async_generator_resolve_function_create(JSContext *ctx, JSValue generator, JSValue *resolving_funcs, bool is_resume_next) __attribute__((cold));
static JSValue js_async_module_execution_fulfilled(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv, int magic, JSValueConst *func_data) __attribute__((cold));
static JSValue js_async_module_execution_rejected(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv, int magic, JSValueConst *func_data) __attribute__((cold));
static JSValue js_bigint_to_string1(JSContext *ctx, JSValueConst val, int radix) __attribute__((cold));
static void js_callsite_finalizer(JSRuntime *rt, JSValueConst val) __attribute__((cold));
static void js_callsite_mark(JSRuntime *rt, JSValueConst val, JS_MarkFunc *mark_func) __attribute__((cold));
static bool js_date_parse_isostring(const uint8_t *sp, int fields[9], bool *is_local) __attribute__((cold));
static void js_disposable_stack_finalizer(JSRuntime *rt, JSValueConst val) __attribute__((cold));
static JSValue js_disposable_stack_get_disposed(JSContext *ctx, JSValueConst this_val, int class_id) __attribute__((cold));
static void js_disposable_stack_mark(JSRuntime *rt, JSValueConst val, JS_MarkFunc *mark_func) __attribute__((cold));
static void js_domexception_finalizer(JSRuntime *rt, JSValueConst val) __attribute__((cold));
static JSValue js_domexception_getfield(JSContext *ctx, JSValueConst this_val, int magic) __attribute__((cold));
static void js_domexception_mark(JSRuntime *rt, JSValueConst val, JS_MarkFunc *mark_func) __attribute__((cold));
static JSValue js_error_set_prepareStackTrace(JSContext *ctx, JSValueConst this_val, JSValueConst value) __attribute__((cold));
static JSValue js_error_set_stack(JSContext *ctx, JSValueConst this_val, JSValueConst value) __attribute__((cold));
static JSValue js_error_set_stackTraceLimit(JSContext *ctx, JSValueConst this_val, JSValueConst value) __attribute__((cold));
static void js_finrec_finalizer(JSRuntime *rt, JSValueConst val) __attribute__((cold));
static JSValue js_finrec_job(JSContext *ctx, int argc, JSValueConst *argv) __attribute__((cold));
static void js_finrec_mark(JSRuntime *rt, JSValueConst val, JS_MarkFunc *mark_func) __attribute__((cold));
static JSValue js_function_proto_int32(JSContext *ctx, JSValueConst this_val, int magic) __attribute__((cold));
static void js_generator_finalizer(JSRuntime *rt, JSValueConst obj) __attribute__((cold));
static void js_generator_mark(JSRuntime *rt, JSValueConst val, JS_MarkFunc *mark_func) __attribute__((cold));
static JSValue js_generator_next(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv, int *pdone, int magic) __attribute__((cold));
static void js_iterator_concat_finalizer(JSRuntime *rt, JSValueConst val) __attribute__((cold));
static void js_iterator_concat_mark(JSRuntime *rt, JSValueConst val, JS_MarkFunc *mark_func) __attribute__((cold));
static JSValue js_iterator_concat_next(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv, int *pdone, int magic) __attribute__((cold));
static JSValue js_iterator_constructor_getset(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv, int magic, JSValueConst *func_data) __attribute__((cold));
static void js_iterator_helper_finalizer(JSRuntime *rt, JSValueConst val) __attribute__((cold));
static void js_iterator_helper_mark(JSRuntime *rt, JSValueConst val, JS_MarkFunc *mark_func) __attribute__((cold));
static JSValue js_iterator_helper_next(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv, int *pdone, int magic) __attribute__((cold));
static JSValue js_iterator_proto_set_toStringTag(JSContext *ctx, JSValueConst this_val, JSValueConst val) __attribute__((cold));
static void js_iterator_wrap_finalizer(JSRuntime *rt, JSValueConst val) __attribute__((cold));
static void js_iterator_wrap_mark(JSRuntime *rt, JSValueConst val, JS_MarkFunc *mark_func) __attribute__((cold));
static JSValue js_iterator_wrap_next(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv, int *pdone, int magic) __attribute__((cold));
static double js_math_atan2(double a, double b) __attribute__((cold));
static double js_math_pow(double a, double b) __attribute__((cold));
static JSValue js_promise_all_resolve_element(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv, int magic, JSValueConst *func_data) __attribute__((cold));
static JSValue js_proxy_call(JSContext *ctx, JSValueConst func_obj, JSValueConst this_obj, int argc, JSValueConst *argv, int flags) __attribute__((cold));
static JSValue js_proxy_call_constructor(JSContext *ctx, JSValueConst func_obj, JSValueConst new_target, int argc, JSValueConst *argv) __attribute__((cold));
static int js_proxy_define_own_property(JSContext *ctx, JSValueConst obj, JSAtom prop, JSValueConst val, JSValueConst getter, JSValueConst setter, int flags) __attribute__((cold));
static int js_proxy_delete_property(JSContext *ctx, JSValueConst obj, JSAtom atom) __attribute__((cold));
static void js_proxy_finalizer(JSRuntime *rt, JSValueConst val) __attribute__((cold));
static JSValue js_proxy_get(JSContext *ctx, JSValueConst obj, JSAtom atom, JSValueConst receiver) __attribute__((cold));
static int js_proxy_get_own_property(JSContext *ctx, JSPropertyDescriptor *pdesc, JSValueConst obj, JSAtom prop) __attribute__((cold));
static int js_proxy_get_own_property_names(JSContext *ctx, JSPropertyEnum **ptab, uint32_t *plen, JSValueConst obj) __attribute__((cold));
static int js_proxy_has(JSContext *ctx, JSValueConst obj, JSAtom atom) __attribute__((cold));
static int js_proxy_isArray(JSContext *ctx, JSValueConst obj) __attribute__((cold));
static int js_proxy_isExtensible(JSContext *ctx, JSValueConst obj) __attribute__((cold));
static void js_proxy_mark(JSRuntime *rt, JSValueConst val, JS_MarkFunc *mark_func) __attribute__((cold));
static int js_proxy_preventExtensions(JSContext *ctx, JSValueConst obj) __attribute__((cold));
static JSValue js_proxy_revoke(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv, int magic, JSValueConst *func_data) __attribute__((cold));
static int js_proxy_set(JSContext *ctx, JSValueConst obj, JSAtom atom, JSValueConst value, JSValueConst receiver, int flags) __attribute__((cold));
static int js_proxy_setPrototypeOf(JSContext *ctx, JSValueConst obj, JSValueConst proto_val, bool throw_flag) __attribute__((cold));
static JSAtom js_symbol_to_atom(JSContext *ctx, JSValueConst val) __attribute__((cold));
static JSValue js_typed_array_constructor_obj(JSContext *ctx, JSValueConst new_target, JSValueConst obj, int classid) __attribute__((cold));
static JSValue js_typed_array_constructor_ta(JSContext *ctx, JSValueConst new_target, JSValueConst src_obj, int classid, uint32_t len) __attribute__((cold));
static void js_typed_array_mark(JSRuntime *rt, JSValueConst val, JS_MarkFunc *mark_func) __attribute__((cold));
static JSValue js_typed_array_set_internal(JSContext *ctx, JSValueConst dst, JSValueConst src, JSValueConst off) __attribute__((cold));
static int js_uint8array_funcs_init(JSContext *ctx) __attribute__((cold));
static void js_weakref_finalizer(JSRuntime *rt, JSValueConst val) __attribute__((cold));
