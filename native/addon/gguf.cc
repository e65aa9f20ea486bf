#include "addon/gguf.h"

#include <string>

#include "addon/args.h"
#include "addon/env_state.h"
#include "addon/errors.h"
#include "core/aligned_buffer.h"
#include "core/gguf_blocks.h"
#include "core/tensor_stats.h"

namespace qgemm::addon {
namespace {

napi_value dequantize(napi_env env, napi_callback_info info) {
  const Args<4> args(env, info);
  std::string type;
  TypedArray blocks, out;
  size_t first, bytes;
  if (!read_string(env, args[0], "type", &type)) return nullptr;
  const BlockFormat* format = find_block_format(type);
  if (format == nullptr) return throw_error(env, code::kDtype, "type must be a block format, got %s", type.c_str());
  if (!read_typed_array(env, args[1], "blocks", napi_uint8_array, &blocks) ||
      !read_size(env, args[2], "first", &first) || !read_typed_array(env, args[3], "out", napi_uint8_array, &out)) {
    return nullptr;
  }
  if (out.length % sizeof(float) != 0) return throw_error(env, code::kShape, "out must hold whole float32 values");
  const size_t count = out.length / sizeof(float);
  // Both are below 2^53, so the sum is exact.
  const uint64_t needed = (static_cast<uint64_t>(first) + count + format->elements - 1) / format->elements;
  if (needed > SIZE_MAX || !checked_multiply(static_cast<size_t>(needed), format->bytes, &bytes)) {
    return throw_error(env, code::kLimit, "first must fit the address space");
  }
  if (!check_length(env, "blocks", blocks, bytes)) return nullptr;
  dequantize_blocks(*format, blocks.as<uint8_t>(), first, count, out.as<uint8_t>());
  return nullptr;
}

napi_value boolean(napi_env env, bool value) {
  napi_value result = nullptr;
  napi_get_boolean(env, value, &result);
  return result;
}

napi_value quantize_q8(napi_env env, napi_callback_info info) {
  const Args<3> args(env, info);
  TypedArray x, out;
  bool clip;
  if (!read_typed_array(env, args[0], "x", napi_float32_array, &x) || !read_bool(env, args[1], "clip", &clip) ||
      !read_typed_array(env, args[2], "out", napi_uint8_array, &out)) {
    return nullptr;
  }
  if (x.length % kQ8_0Elements != 0) return throw_error(env, code::kShape, "x must hold whole blocks of 32 values");
  const size_t blocks = x.length / kQ8_0Elements;
  if (!check_length(env, "out", out, blocks * kQ8_0Bytes)) return nullptr;  // less than the bytes of x: no overflow
  return boolean(env, quantize_q8_0(x.as<float>(), blocks, clip, out.as<uint8_t>()) == Status::ok);
}

napi_value to_float16(napi_env env, napi_callback_info info) {
  const Args<3> args(env, info);
  TypedArray x, out;
  bool clip;
  if (!read_typed_array(env, args[0], "x", napi_float32_array, &x) || !read_bool(env, args[1], "clip", &clip) ||
      !read_typed_array(env, args[2], "out", napi_uint8_array, &out) || !check_length(env, "out", out, x.length * 2)) {
    return nullptr;
  }
  return boolean(env, float16_to_bytes(x.as<float>(), x.length, clip, out.as<uint8_t>()));
}

}  // namespace

void init_gguf(napi_env env, napi_value exports) {
  export_functions(env, exports,
                   {{"ggufDequantize", dequantize}, {"ggufQuantizeQ8", quantize_q8}, {"toFloat16", to_float16}});
}

}  // namespace qgemm::addon
