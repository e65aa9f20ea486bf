#pragma once
#include <node_api.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "addon/errors.h"

namespace qgemm::addon {

/// The arguments of one call. Those not given are `undefined`.
template <size_t count>
struct Args {
  napi_value values[count];

  Args(napi_env env, napi_callback_info info) {
    size_t given = count;
    napi_get_cb_info(env, info, &given, values, nullptr, nullptr);
  }
  napi_value operator[](size_t index) const { return values[index]; }
};

/// Memory of a typed array. Detached views, and those that a shrunk buffer left out of bounds, have length 0: a caller
/// that compares `length` with what it needs never reads outside.
struct TypedArray {
  void* data = nullptr;
  size_t length = 0;  // elements
  napi_typedarray_type type = napi_uint8_array;

  template <typename T>
  T* as() const {
    return static_cast<T*>(data);
  }
};

// Each reads one argument. On a value of the wrong kind it throws and returns false.

/// An integer in [0, 2^53).
bool read_size(napi_env env, napi_value value, const char* name, size_t* result);
bool read_int32(napi_env env, napi_value value, const char* name, int32_t* result);
/// A finite number, as float32.
bool read_float(napi_env env, napi_value value, const char* name, float* result);
bool read_bool(napi_env env, napi_value value, const char* name, bool* result);
bool read_string(napi_env env, napi_value value, const char* name, std::string* result);

/// A number that stands for an enum of the core: an integer in [0, count).
bool read_enum(napi_env env, napi_value value, const char* name, uint32_t count, uint32_t* result);
template <typename E>
bool read_enum(napi_env env, napi_value value, const char* name, uint32_t count, E* result) {
  uint32_t number;
  if (!read_enum(env, value, name, count, &number)) return false;
  *result = static_cast<E>(number);
  return true;
}

/// A typed array of any element type, or of the one asked for.
bool read_any_typed_array(napi_env env, napi_value value, const char* name, TypedArray* result);
bool read_typed_array(napi_env env, napi_value value, const char* name, napi_typedarray_type type, TypedArray* result);
bool is_null_or_undefined(napi_env env, napi_value value);

/// Throws SHAPE unless `array` has `expected` elements.
bool check_length(napi_env env, const char* name, const TypedArray& array, size_t expected);

/// A new zeroed typed array made by JavaScript's own constructor ("Uint8Array", ...): unlike napi_create_arraybuffer it
/// does not end the process when memory is short. Throws OUT_OF_MEMORY and returns null then.
napi_value new_typed_array(napi_env env, const char* constructor, size_t length, TypedArray* memory);

}  // namespace qgemm::addon
