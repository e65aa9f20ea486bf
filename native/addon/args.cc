#include "addon/args.h"

#include <cmath>

namespace qgemm::addon {

namespace {

const char* type_name(napi_typedarray_type type) {
  switch (type) {
    case napi_int8_array:
      return "Int8Array";
    case napi_uint8_array:
      return "Uint8Array";
    case napi_uint8_clamped_array:
      return "Uint8ClampedArray";
    case napi_int16_array:
      return "Int16Array";
    case napi_uint16_array:
      return "Uint16Array";
    case napi_int32_array:
      return "Int32Array";
    case napi_uint32_array:
      return "Uint32Array";
    case napi_float32_array:
      return "Float32Array";
    case napi_float64_array:
      return "Float64Array";
    case napi_bigint64_array:
      return "BigInt64Array";
    case napi_biguint64_array:
      return "BigUint64Array";
  }
  return "another typed array";
}

bool read_double(napi_env env, napi_value value, const char* name, double* result) {
  if (napi_get_value_double(env, value, result) == napi_ok) return true;
  throw_error(env, code::kArgument, "%s must be a number", name);
  return false;
}

}  // namespace

bool read_size(napi_env env, napi_value value, const char* name, size_t* result) {
  double number;
  if (!read_double(env, value, name, &number)) return false;
  if (!(number >= 0 && number < 9007199254740992.0 && number == std::trunc(number) &&
        number <= static_cast<double>(SIZE_MAX))) {
    throw_error(env, code::kRange, "%s must be an integer >= 0, got %.17g", name, number);
    return false;
  }
  *result = static_cast<size_t>(number);
  return true;
}

bool read_int32(napi_env env, napi_value value, const char* name, int32_t* result) {
  double number;
  if (!read_double(env, value, name, &number)) return false;
  if (!(number >= -2147483648.0 && number <= 2147483647.0 && number == std::trunc(number))) {
    throw_error(env, code::kRange, "%s must be an integer in [-2147483648, 2147483647], got %.17g", name, number);
    return false;
  }
  *result = static_cast<int32_t>(number);
  return true;
}

bool read_float(napi_env env, napi_value value, const char* name, float* result) {
  double number;
  if (!read_double(env, value, name, &number)) return false;
  *result = static_cast<float>(number);
  if (std::isfinite(*result)) return true;
  throw_error(env, code::kRange, "%s must be a finite float32 number, got %.17g", name, number);
  return false;
}

bool read_bool(napi_env env, napi_value value, const char* name, bool* result) {
  if (napi_get_value_bool(env, value, result) == napi_ok) return true;
  throw_error(env, code::kArgument, "%s must be a boolean", name);
  return false;
}

bool read_string(napi_env env, napi_value value, const char* name, std::string* result) {
  size_t length = 0;
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &length) != napi_ok) {
    throw_error(env, code::kArgument, "%s must be a string", name);
    return false;
  }
  result->resize(length + 1);  // N-API writes a terminating zero
  napi_get_value_string_utf8(env, value, &(*result)[0], length + 1, &length);
  result->resize(length);
  return true;
}

bool read_enum(napi_env env, napi_value value, const char* name, uint32_t count, uint32_t* result) {
  size_t number;
  if (!read_size(env, value, name, &number)) return false;
  if (number >= count) {
    throw_error(env, code::kRange, "%s must be in [0, %u], got %zu", name, count - 1, number);
    return false;
  }
  *result = static_cast<uint32_t>(number);
  return true;
}

bool read_any_typed_array(napi_env env, napi_value value, const char* name, TypedArray* result) {
  // Asks for the data pointer only: asking for the buffer too would cost a handle on the hot path.
  if (napi_get_typedarray_info(env, value, &result->type, &result->length, &result->data, nullptr, nullptr) ==
      napi_ok) {
    return true;
  }
  throw_error(env, code::kArgument, "%s must be a typed array", name);
  return false;
}

bool read_typed_array(napi_env env, napi_value value, const char* name, napi_typedarray_type type, TypedArray* result) {
  if (!read_any_typed_array(env, value, name, result)) return false;
  if (result->type == type) return true;
  throw_error(env, code::kDtype, "%s must be a %s, got %s(%zu)", name, type_name(type), type_name(result->type),
              result->length);
  return false;
}

bool is_null_or_undefined(napi_env env, napi_value value) {
  napi_valuetype type = napi_undefined;
  napi_typeof(env, value, &type);
  return type == napi_null || type == napi_undefined;
}

bool check_length(napi_env env, const char* name, const TypedArray& array, size_t expected) {
  if (array.length == expected) return true;
  throw_error(env, code::kShape, "%s must have %zu elements, got %zu", name, expected, array.length);
  return false;
}

napi_value new_typed_array(napi_env env, const char* constructor, size_t length, TypedArray* memory) {
  napi_value global, function, size;
  napi_value array = nullptr;
  if (napi_get_global(env, &global) == napi_ok &&
      napi_get_named_property(env, global, constructor, &function) == napi_ok &&
      napi_create_double(env, static_cast<double>(length), &size) == napi_ok &&
      napi_new_instance(env, function, 1, &size, &array) == napi_ok) {
    if (read_any_typed_array(env, array, constructor, memory) && check_length(env, constructor, *memory, length)) {
      return array;
    }
    return nullptr;
  }
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  napi_value exception;
  if (pending) napi_get_and_clear_last_exception(env, &exception);
  return throw_error(env, code::kOutOfMemory, "there is not enough memory for a %s of %zu elements", constructor,
                     length);
}

}  // namespace qgemm::addon
