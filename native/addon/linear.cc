#include "addon/linear.h"

#include <cstring>

#include "addon/args.h"
#include "addon/env_state.h"

namespace qgemm::addon {

bool read_forward_call(napi_env env, const napi_value* arguments, ForwardCall* call) {
  TypedArray x, y;
  size_t x_size, y_size;
  call->handle = unwrap_live_handle<LinearHandle>(env, arguments[0]);
  if (call->handle == nullptr || !read_typed_array(env, arguments[1], "x", napi_float32_array, &x) ||
      !read_size(env, arguments[2], "m", &call->m) ||
      !read_typed_array(env, arguments[3], "out", napi_float32_array, &y)) {
    return false;
  }
  const PackedWeights& weights = *call->handle->layer->weights.weights;
  if (!checked_multiply(call->m, weights.k, &x_size) || !checked_multiply(call->m, weights.n, &y_size)) {
    throw_error(env, code::kLimit, "m must be small enough for memory, got %zu", call->m);
    return false;
  }
  if (!check_length(env, "x", x, x_size) || !check_length(env, "out", y, y_size)) return false;
  call->x = x.as<float>();
  call->y = y.as<float>();
  return true;
}

namespace {

napi_value linear_create(napi_env env, napi_callback_info info) {
  Args<4> args(env, info);
  auto* weights = unwrap_live_handle<WeightsHandle>(env, args[0]);
  auto layer = std::make_shared<LinearLayer>();
  if (weights == nullptr || !read_enum(env, args[2], "activation", 5, &layer->epilogue.activation) ||
      !read_bool(env, args[3], "rejectNonFinite", &layer->reject_non_finite)) {
    return nullptr;
  }
  layer->weights = weights->ref;
  if (!is_null_or_undefined(env, args[1])) {
    TypedArray bias;
    size_t n = layer->weights.weights->n;
    if (!read_typed_array(env, args[1], "bias", napi_float32_array, &bias) || !check_length(env, "bias", bias, n)) {
      return nullptr;
    }
    size_t bytes = layer->weights.weights->padded_n() * sizeof(float);
    if (!layer->bias.allocate(bytes)) return throw_status(env, Status::out_of_memory, "bias");
    std::memset(layer->bias.as<char>(), 0, bytes);
    if (n > 0) std::memcpy(layer->bias.as<char>(), bias.data, n * sizeof(float));
    layer->epilogue.bias = layer->bias.as<float>();
  }
  auto handle = std::make_unique<LinearHandle>();
  handle->layer = std::move(layer);
  return wrap_handle(env, std::move(handle));
}

napi_value linear_dispose(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  if (auto* handle = unwrap_handle<LinearHandle>(env, args[0])) handle->layer.reset();
  return nullptr;
}

napi_value linear_forward_sync(napi_env env, napi_callback_info info) {
  Args<4> args(env, info);
  ForwardCall call;
  if (!read_forward_call(env, args.values, &call)) return nullptr;
  const LinearLayer& layer = *call.handle->layer;
  Status status =
      linear_forward(*layer.weights.weights, call.x, call.m, layer.reject_non_finite, layer.epilogue, call.y);
  if (status != Status::ok) throw_status(env, status, "x");
  return nullptr;
}

}  // namespace

void init_linear(napi_env env, napi_value exports) {
  export_functions(
      env, exports,
      {{"linearCreate", linear_create}, {"linearDispose", linear_dispose}, {"linearForward", linear_forward_sync}});
}

}  // namespace qgemm::addon
