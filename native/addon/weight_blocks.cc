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

}  // namespace

void init_weight_blocks(napi_env env, napi_value exports) {
  export_functions(env, exports, {{"extendRange", extend_range_js}, {"packCodes", pack_codes_js}});
}

}  // namespace qgemm::addon
