// chooseQParams, quantize, dequantize and matmulInteger of lib/native-types.ts.
#include "addon/quantize.h"

#include "addon/args.h"
#include "addon/env_state.h"
#include "core/aligned_buffer.h"
#include "core/gemm.h"
#include "core/quantize.h"

namespace qgemm::addon {

namespace {

bool multiply(napi_env env, const char* what, size_t a, size_t b, size_t* result) {
  if (checked_multiply(a, b, result)) return true;
  throw_error(env, code::kLimit, "%s must fit the address space", what);
  return false;
}

// Arguments outer, axis, inner, and their product.
bool read_slab(napi_env env, const napi_value* arguments, Slab* slab, size_t* size) {
  size_t rows;
  return read_size(env, arguments[0], "outer", &slab->outer) && read_size(env, arguments[1], "axis", &slab->axis) &&
         read_size(env, arguments[2], "inner", &slab->inner) &&
         multiply(env, "the shape", slab->outer, slab->axis, &rows) &&
         multiply(env, "the shape", rows, slab->inner, size);
}

// Arguments scales and zeroPoints, one per channel.
bool read_channels(napi_env env, const napi_value* arguments, size_t axis, TypedArray* scales,
                   TypedArray* zero_points) {
  return read_typed_array(env, arguments[0], "scales", napi_float32_array, scales) &&
         check_length(env, "scales", *scales, axis) &&
         read_typed_array(env, arguments[1], "zeroPoints", napi_int32_array, zero_points) &&
         check_length(env, "zeroPoints", *zero_points, axis);
}

bool read_values(napi_env env, napi_value value, size_t size, TypedArray* x) {
  return read_typed_array(env, value, "x", napi_float32_array, x) && check_length(env, "x", *x, size);
}

// An Int8Array or Uint8Array.
bool read_codes(napi_env env, napi_value value, const char* name, size_t size, TypedArray* codes, bool* is_signed) {
  if (!read_any_typed_array(env, value, name, codes)) return false;
  *is_signed = codes->type == napi_int8_array;
  if (!*is_signed && codes->type != napi_uint8_array) {
    throw_error(env, code::kDtype, "%s must be an Int8Array or Uint8Array", name);
    return false;
  }
  return check_length(env, name, *codes, size);
}

bool read_range(napi_env env, napi_value object, QRange* range) {
  const auto get = [&](const char* name) {
    napi_value value = nullptr;
    if (napi_get_named_property(env, object, name, &value) != napi_ok) napi_get_undefined(env, &value);
    return value;
  };
  return read_enum(env, get("numerics"), "numerics", 4, &range->numerics) &&
         read_bool(env, get("signed"), "signed", &range->is_signed) &&
         read_bool(env, get("symmetric"), "symmetric", &range->symmetric) &&
         read_int32(env, get("qmin"), "qmin", &range->qmin) && read_int32(env, get("qmax"), "qmax", &range->qmax) &&
         read_bool(env, get("customRange"), "customRange", &range->custom_range) &&
         read_float(env, get("eps"), "eps", &range->eps);
}

// -1, or the place of the value that was refused.
napi_value non_finite_index(napi_env env, double index) {
  napi_value result = nullptr;
  napi_create_double(env, index, &result);
  return result;
}

napi_value choose_qparams_js(napi_env env, napi_callback_info info) {
  const Args<8> args(env, info);
  Slab slab;
  size_t size;
  QRange range;
  bool reject;
  TypedArray x, scales, zero_points;
  if (!read_range(env, args[4], &range) || !read_slab(env, args.values + 1, &slab, &size) ||
      !read_bool(env, args[5], "rejectNonFinite", &reject) || !read_values(env, args[0], size, &x) ||
      !read_channels(env, args.values + 6, slab.axis, &scales, &zero_points)) {
    return nullptr;
  }
  const Status status =
      choose_qparams(x.as<float>(), slab, range, reject, scales.as<float>(), zero_points.as<int32_t>());
  if (status == Status::non_finite) {
    return non_finite_index(env, static_cast<double>(find_non_finite(x.as<float>(), size)));
  }
  return status == Status::ok ? non_finite_index(env, -1) : throw_status(env, status, "x");
}

napi_value quantize_js(napi_env env, napi_callback_info info) {
  const Args<11> args(env, info);
  Slab slab;
  size_t size;
  bool divide, reject, is_signed;
  int32_t qmin, qmax;
  TypedArray x, scales, zero_points, q;
  if (!read_slab(env, args.values + 1, &slab, &size) || !read_bool(env, args[6], "divide", &divide) ||
      !read_int32(env, args[7], "min", &qmin) || !read_int32(env, args[8], "max", &qmax) ||
      !read_bool(env, args[9], "rejectNonFinite", &reject) || !read_values(env, args[0], size, &x) ||
      !read_channels(env, args.values + 4, slab.axis, &scales, &zero_points) ||
      !read_codes(env, args[10], "q", size, &q, &is_signed)) {
    return nullptr;
  }
  if (reject) {
    const size_t index = find_non_finite(x.as<float>(), size);
    if (index < size) return non_finite_index(env, static_cast<double>(index));
  }
  quantize(x.as<float>(), slab, scales.as<float>(), zero_points.as<int32_t>(), divide, qmin, qmax, q.as<uint8_t>());
  return non_finite_index(env, -1);
}

napi_value dequantize_js(napi_env env, napi_callback_info info) {
  const Args<7> args(env, info);
  Slab slab;
  size_t size;
  bool is_signed;
  TypedArray q, scales, zero_points, x;
  if (!read_slab(env, args.values + 1, &slab, &size) || !read_codes(env, args[0], "q", size, &q, &is_signed) ||
      !read_channels(env, args.values + 4, slab.axis, &scales, &zero_points) || !read_values(env, args[6], size, &x)) {
    return nullptr;
  }
  dequantize(q.as<uint8_t>(), is_signed, slab, scales.as<float>(), zero_points.as<int32_t>(), x.as<float>());
  return nullptr;
}

napi_value matmul_integer_js(napi_env env, napi_callback_info info) {
  const Args<8> args(env, info);
  size_t m, n, k, a_size, b_size, c_size;
  int32_t a_zero_point, b_zero_point;
  bool a_signed, b_signed;
  TypedArray a, b, c;
  if (!read_size(env, args[2], "m", &m) || !read_size(env, args[3], "n", &n) || !read_size(env, args[4], "k", &k) ||
      !multiply(env, "m * k", m, k, &a_size) || !multiply(env, "k * n", k, n, &b_size) ||
      !multiply(env, "m * n", m, n, &c_size) || !read_int32(env, args[5], "aZeroPoint", &a_zero_point) ||
      !read_int32(env, args[6], "bZeroPoint", &b_zero_point) || !read_codes(env, args[0], "a", a_size, &a, &a_signed) ||
      !read_codes(env, args[1], "b", b_size, &b, &b_signed) ||
      !read_typed_array(env, args[7], "out", napi_int32_array, &c) || !check_length(env, "out", c, c_size)) {
    return nullptr;
  }
  const Status status =
      matmul_integer(a.data, a_signed, b.data, b_signed, m, n, k, a_zero_point, b_zero_point, c.as<int32_t>());
  return status == Status::ok ? nullptr : throw_status(env, status, "a");
}

}  // namespace

void init_quantize(napi_env env, napi_value exports) {
  export_functions(env, exports,
                   {{"chooseQParams", choose_qparams_js},
                    {"quantize", quantize_js},
                    {"dequantize", dequantize_js},
                    {"matmulInteger", matmul_integer_js}});
}

}  // namespace qgemm::addon
