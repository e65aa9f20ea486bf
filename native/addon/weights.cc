#include "addon/weights.h"

#include <cstring>

#include "addon/args.h"
#include "addon/env_state.h"
#include "core/registry.h"

namespace qgemm::addon {

napi_value wrap_weights(napi_env env, WeightsPtr weights) {
  if (weights == nullptr) return throw_status(env, Status::out_of_memory, "weights");
  auto memory = std::make_shared<ExternalMemory>(env, weights->byte_length());
  return wrap_handle(env, std::make_unique<WeightsHandle>(WeightsRef{std::move(weights), std::move(memory)}));
}

namespace {

WeightLayout layout_of(size_t n, size_t k, bool transposed) {
  return transposed ? WeightLayout{1, n} : WeightLayout{k, 1};
}

/// n, k and the number of elements n * k, from arguments 1 and 2.
bool read_shape(napi_env env, napi_value n_value, napi_value k_value, size_t* n, size_t* k, size_t* size) {
  if (!read_size(env, n_value, "n", n) || !read_size(env, k_value, "k", k)) return false;
  size_t bytes;
  if (checked_multiply(*n, *k, size) && packed_size(Scheme::float32, *n, *k, &bytes)) return true;
  throw_error(env, code::kLimit, "n * k must fit in memory, got %zu x %zu", *n, *k);
  return false;
}

napi_value pack_float32(napi_env env, napi_callback_info info) {
  Args<9> args(env, info);
  TypedArray data;
  size_t n, k, size;
  bool transposed, reject_non_finite;
  QuantizeWeightsOptions options;
  if (!read_typed_array(env, args[0], "data", napi_float32_array, &data) ||
      !read_shape(env, args[1], args[2], &n, &k, &size) || !read_bool(env, args[3], "transposed", &transposed) ||
      !read_enum(env, args[4], "scheme", 2, &options.scheme) ||
      !read_enum(env, args[5], "granularity", 2, &options.granularity) ||
      !read_bool(env, args[6], "symmetric", &options.symmetric) ||
      !read_enum(env, args[7], "activations", 2, &options.activations) ||
      !read_bool(env, args[8], "rejectNonFinite", &reject_non_finite) || !check_length(env, "data", data, size)) {
    return nullptr;
  }
  WeightsPtr weights;
  Status status =
      quantize_weights(data.as<float>(), layout_of(n, k, transposed), n, k, options, reject_non_finite, &weights);
  if (status != Status::ok) return throw_status(env, status, "data");
  return wrap_weights(env, std::move(weights));
}

napi_value pack_int8(napi_env env, napi_callback_info info) {
  Args<8> args(env, info);
  TypedArray codes, scales, zero_points;
  size_t n, k, size;
  bool transposed;
  Granularity granularity;
  RowRange activations;
  if (!read_any_typed_array(env, args[0], "codes", &codes) || !read_shape(env, args[1], args[2], &n, &k, &size) ||
      !read_bool(env, args[3], "transposed", &transposed) ||
      !read_typed_array(env, args[4], "scales", napi_float32_array, &scales) ||
      !read_enum(env, args[6], "granularity", 2, &granularity) ||
      !read_enum(env, args[7], "activations", 2, &activations) || !check_length(env, "codes", codes, size)) {
    return nullptr;
  }
  if (codes.type != napi_int8_array && codes.type != napi_uint8_array) {
    return throw_error(env, code::kDtype, "codes must be an Int8Array or Uint8Array");
  }
  size_t values = granularity == Granularity::per_tensor ? 1 : n;
  bool asymmetric = !is_null_or_undefined(env, args[5]);
  if (!check_length(env, "scales", scales, values) ||
      (asymmetric && (!read_typed_array(env, args[5], "zeroPoints", napi_int32_array, &zero_points) ||
                      !check_length(env, "zeroPoints", zero_points, values)))) {
    return nullptr;
  }
  return wrap_weights(
      env, pack_int8(codes.data, codes.type == napi_uint8_array, layout_of(n, k, transposed), n, k, scales.as<float>(),
                     asymmetric ? zero_points.as<int32_t>() : nullptr, granularity, activations));
}

void set_number(napi_env env, napi_value object, const char* name, double number) {
  napi_value value;
  napi_create_double(env, number, &value);
  napi_set_named_property(env, object, name, value);
}

napi_value weights_info(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  auto* handle = unwrap_live_handle<WeightsHandle>(env, args[0]);
  if (handle == nullptr) return nullptr;
  const PackedWeights& weights = *handle->ref.weights;
  napi_value result, symmetric;
  if (napi_create_object(env, &result) != napi_ok) return nullptr;
  set_number(env, result, "scheme", static_cast<double>(weights.scheme));
  set_number(env, result, "n", static_cast<double>(weights.n));
  set_number(env, result, "k", static_cast<double>(weights.k));
  set_number(env, result, "byteLength", static_cast<double>(weights.byte_length()));
  set_number(env, result, "activations", static_cast<double>(weights.activations));
  napi_get_boolean(env, weights.zero_points == nullptr, &symmetric);
  napi_set_named_property(env, result, "symmetric", symmetric);
  return result;
}

napi_value weights_dispose(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  if (auto* handle = unwrap_handle<WeightsHandle>(env, args[0])) handle->ref = {};
  return nullptr;
}

napi_value weights_register(napi_env env, napi_callback_info info) {
  Args<2> args(env, info);
  auto* handle = unwrap_live_handle<WeightsHandle>(env, args[0]);
  std::string token;
  if (handle == nullptr || !read_string(env, args[1], "token", &token)) return nullptr;
  register_weights(token, handle->ref.weights);
  return nullptr;
}

napi_value weights_attach(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  std::string token;
  if (!read_string(env, args[0], "token", &token)) return nullptr;
  WeightsPtr weights = find_weights(token);
  return weights == nullptr ? nullptr : wrap_weights(env, std::move(weights));
}

/// Sets result[name] to a new typed array with the `count` elements at `data`, or to null where `data` is null.
bool set_copy(napi_env env, napi_value result, const char* name, const char* constructor, const void* data,
              size_t count, size_t element_size) {
  napi_value value;
  TypedArray memory;
  if (data == nullptr) {
    napi_get_null(env, &value);
  } else {
    value = new_typed_array(env, constructor, count, &memory);
    if (value == nullptr) return false;
    if (count > 0) std::memcpy(memory.data, data, count * element_size);
  }
  return napi_set_named_property(env, result, name, value) == napi_ok;
}

napi_value weights_export(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  auto* handle = unwrap_live_handle<WeightsHandle>(env, args[0]);
  if (handle == nullptr) return nullptr;
  // A getter on a replaced global constructor could dispose of the handle in between: keep the weights.
  WeightsPtr weights = handle->ref.weights;
  size_t columns = weights->padded_n();
  napi_value result;
  if (napi_create_object(env, &result) != napi_ok ||
      !set_copy(env, result, "panels", "Uint8Array", weights->panels, weights->panels_bytes(), 1) ||
      !set_copy(env, result, "scales", "Float32Array", weights->scales, columns, 4) ||
      !set_copy(env, result, "columnSums", "Int32Array", weights->column_sums, columns, 4) ||
      !set_copy(env, result, "zeroPoints", "Int32Array", weights->zero_points, columns, 4)) {
    return nullptr;
  }
  return result;
}

napi_value weights_to_float32(napi_env env, napi_callback_info info) {
  Args<2> args(env, info);
  auto* handle = unwrap_live_handle<WeightsHandle>(env, args[0]);
  TypedArray out;
  if (handle == nullptr || !read_typed_array(env, args[1], "out", napi_float32_array, &out)) return nullptr;
  const PackedWeights& weights = *handle->ref.weights;
  if (!check_length(env, "out", out, weights.n * weights.k)) return nullptr;
  unpack_float32(weights, out.as<float>());
  return nullptr;
}

}  // namespace

void init_weights(napi_env env, napi_value exports) {
  export_functions(env, exports,
                   {{"packFloat32", pack_float32},
                    {"packInt8", pack_int8},
                    {"weightsInfo", weights_info},
                    {"weightsDispose", weights_dispose},
                    {"weightsRegister", weights_register},
                    {"weightsAttach", weights_attach},
                    {"weightsExport", weights_export},
                    {"weightsToFloat32", weights_to_float32}});
}

}  // namespace qgemm::addon
