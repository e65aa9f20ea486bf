#include "addon/tensor_tools.h"

#include <limits>
#include <string>

#include "addon/args.h"
#include "addon/env_state.h"
#include "addon/errors.h"
#include "core/float16.h"
#include "core/tensor_stats.h"

namespace qgemm::addon {
namespace {

napi_value to_float32(napi_env env, napi_callback_info info) {
  const Args<3> args(env, info);
  TypedArray bytes, out;
  std::string dtype;
  if (!read_typed_array(env, args[0], "bytes", napi_uint8_array, &bytes)) return nullptr;
  if (!read_string(env, args[1], "dtype", &dtype)) return nullptr;
  if (!read_typed_array(env, args[2], "out", napi_float32_array, &out)) return nullptr;
  const size_t size = dtype == "F32" ? 4 : 2;
  if (out.length > std::numeric_limits<size_t>::max() / size) return throw_error(env, code::kLimit, "out is too long");
  if (!check_length(env, "bytes", bytes, out.length * size)) return nullptr;
  if (dtype == "F32") {
    float32_from_bytes(bytes.as<uint8_t>(), out.length, out.as<float>());
  } else if (dtype == "F16") {
    float16_from_bytes(bytes.as<uint8_t>(), out.length, out.as<float>());
  } else if (dtype == "BF16") {
    bfloat16_from_bytes(bytes.as<uint8_t>(), out.length, out.as<float>());
  } else {
    return throw_error(env, code::kDtype, "dtype must be F32, F16 or BF16, got %s", dtype.c_str());
  }
  return nullptr;
}

template <typename Code>
void dequantize(const TypedArray& codes, double scale, double min, const TypedArray& out) {
  if (out.type == napi_int32_array) {
    affine_dequantize(codes.as<Code>(), codes.length, scale, min, out.as<int32_t>());
  } else {
    affine_dequantize(codes.as<Code>(), codes.length, scale, min, out.as<float>());
  }
}

napi_value affine_dequantize_codes(napi_env env, napi_callback_info info) {
  const Args<4> args(env, info);
  TypedArray codes, out;
  double scale, min;
  if (!read_any_typed_array(env, args[0], "codes", &codes)) return nullptr;
  if (codes.type != napi_uint8_array && codes.type != napi_uint16_array) {
    return throw_error(env, code::kDtype, "codes must be a Uint8Array or Uint16Array");
  }
  if (napi_get_value_double(env, args[1], &scale) != napi_ok || napi_get_value_double(env, args[2], &min) != napi_ok) {
    return throw_error(env, code::kArgument, "scale and min must be numbers");
  }
  if (!read_any_typed_array(env, args[3], "out", &out)) return nullptr;
  if (out.type != napi_float32_array && out.type != napi_int32_array) {
    return throw_error(env, code::kDtype, "out must be a Float32Array or Int32Array");
  }
  if (!check_length(env, "out", out, codes.length)) return nullptr;
  if (codes.type == napi_uint8_array) {
    dequantize<uint8_t>(codes, scale, min, out);
  } else {
    dequantize<uint16_t>(codes, scale, min, out);
  }
  return nullptr;
}

}  // namespace

void init_tensor_tools(napi_env env, napi_value exports) {
  export_functions(env, exports, {{"toFloat32", to_float32}, {"affineDequantize", affine_dequantize_codes}});
}

}  // namespace qgemm::addon
