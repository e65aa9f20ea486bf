#include "addon/weight_blocks.h"

#include "addon/args.h"
#include "addon/env_state.h"
#include "core/pack.h"
#include "core/quantize.h"

namespace qgemm::addon {
namespace {

napi_value extend_range_js(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  TypedArray x, ends;
  if (!read_typed_array(env, args[0], "x", napi_float32_array, &x) ||
      !read_typed_array(env, args[1], "ends", napi_float32_array, &ends) || !check_length(env, "ends", ends, 2)) {
    return nullptr;
  }
  float* range = ends.as<float>();
  napi_value finite;
  napi_get_boolean(env, extend_range(x.as<float>(), x.length, range, range + 1), &finite);
  return finite;
}

napi_value pack_codes_js(napi_env env, napi_callback_info info) {
  const Args<6> args(env, info);
  TypedArray codes, panels, column_sums;
  size_t n, k, size, bytes;
  bool transposed;
  if (!read_any_typed_array(env, args[0], "codes", &codes) || !read_size(env, args[1], "n", &n) ||
      !read_size(env, args[2], "k", &k) || !read_bool(env, args[3], "transposed", &transposed) ||
      !read_typed_array(env, args[4], "panels", napi_uint8_array, &panels) ||
      !read_typed_array(env, args[5], "columnSums", napi_int32_array, &column_sums)) {
    return nullptr;
  }
  if (codes.type != napi_int8_array && codes.type != napi_uint8_array) {
    return throw_error(env, code::kDtype, "codes must be an Int8Array or Uint8Array");
  }
  if (!checked_multiply(n, k, &size) || !packed_size(Scheme::int8, n, k, &bytes)) {
    return throw_error(env, code::kLimit, "n * k must fit in memory, got %zu x %zu", n, k);
  }
  if (!check_length(env, "codes", codes, size) || !check_length(env, "panels", panels, bytes) ||
      !check_length(env, "columnSums", column_sums, round_up(n, kPanelColumns))) {
    return nullptr;
  }
  const WeightLayout layout = transposed ? WeightLayout{1, n} : WeightLayout{k, 1};
  pack_codes(codes.data, codes.type == napi_uint8_array, layout, n, k, panels.as<int8_t>(), column_sums.as<int32_t>());
  return nullptr;
}

bool read_optional_array(napi_env env, napi_value value, const char* name, napi_typedarray_type type, size_t length,
                         const void** data) {
  *data = nullptr;
  if (is_null_or_undefined(env, value)) return true;
  TypedArray array;
  if (!read_typed_array(env, value, name, type, &array) || !check_length(env, name, array, length)) return false;
  *data = array.data;
  return true;
}

napi_value unpack_rows_js(napi_env env, napi_callback_info info) {
  const Args<7> args(env, info);
  size_t scheme, bytes, size;
  PackedWeights weights;
  TypedArray panels, out;
  if (!read_size(env, args[0], "scheme", &scheme) || !read_size(env, args[1], "n", &weights.n) ||
      !read_size(env, args[2], "k", &weights.k) ||
      !read_typed_array(env, args[3], "panels", napi_uint8_array, &panels)) {
    return nullptr;
  }
  if (scheme > 1) return throw_error(env, code::kArgument, "scheme must be 0 or 1, got %zu", scheme);
  weights.scheme = static_cast<Scheme>(scheme);
  if (!packed_size(weights.scheme, weights.n, weights.k, &bytes) || !checked_multiply(weights.n, weights.k, &size)) {
    return throw_error(env, code::kLimit, "n * k must fit in memory, got %zu x %zu", weights.n, weights.k);
  }
  const void *scales, *zero_points;
  if (!check_length(env, "panels", panels, bytes) ||
      !read_optional_array(env, args[4], "scales", napi_float32_array, weights.n, &scales) ||
      !read_optional_array(env, args[5], "zeroPoints", napi_int32_array, weights.n, &zero_points) ||
      !read_typed_array(env, args[6], "out", napi_float32_array, &out) || !check_length(env, "out", out, size)) {
    return nullptr;
  }
  const bool is_int8 = weights.scheme == Scheme::int8;
  if (is_int8 != (scales != nullptr)) return throw_error(env, code::kArgument, "scales must be given for int8 only");
  if (!is_int8 && reinterpret_cast<uintptr_t>(panels.data) % alignof(float) != 0) {
    return throw_error(env, code::kArgument, "panels must be aligned for float32");
  }
  weights.panels = panels.data;
  weights.scales = static_cast<const float*>(scales);
  weights.zero_points = static_cast<const int32_t*>(zero_points);
  unpack_float32(weights, out.as<float>());
  return nullptr;
}

}  // namespace

void init_weight_blocks(napi_env env, napi_value exports) {
  export_functions(env, exports,
                   {{"extendRange", extend_range_js}, {"packCodes", pack_codes_js}, {"unpackRows", unpack_rows_js}});
}

}  // namespace qgemm::addon
