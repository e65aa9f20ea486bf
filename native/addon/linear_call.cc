// linearForward, for one layer and float32 rows, and linearForwardAll for everything else that is synchronous.
#include "addon/linear_call.h"

#include "addon/args.h"
#include "addon/env_state.h"

namespace qgemm::addon {

namespace {

bool multiply(napi_env env, size_t m, size_t columns, size_t* size) {
  if (checked_multiply(m, columns, size)) return true;
  throw_error(env, code::kLimit, "m must be small enough for memory, got %zu", m);
  return false;
}

bool read_output(napi_env env, napi_value value, const LinearLayer& layer, size_t m, void** y) {
  TypedArray array;
  size_t size;
  if (!read_typed_array(env, value, "out", layer.output_type, &array) ||
      !multiply(env, m, layer.weights.weights->n, &size) || !check_length(env, "out", array, size)) {
    return false;
  }
  *y = array.data;
  return true;
}

// The elements of an array. Asking for them can run a getter of the caller's, which may transfer or shrink any buffer:
// so this comes before the memory of any typed array is looked at.
bool read_elements(napi_env env, napi_value value, const char* name, std::vector<napi_value>* elements) {
  uint32_t length;
  if (napi_get_array_length(env, value, &length) != napi_ok) {
    throw_error(env, code::kArgument, "%s must be an array", name);
    return false;
  }
  for (uint32_t i = 0; i < length; ++i) {
    napi_value element;
    if (napi_get_element(env, value, i, &element) != napi_ok) return false;
    elements->push_back(element);
  }
  return true;
}

bool read_layers(napi_env env, const std::vector<napi_value>& linears, LayersCall* call) {
  for (size_t i = 0; i < linears.size(); ++i) {
    const auto* handle = unwrap_live_handle<LinearHandle>(env, linears[i]);
    if (handle == nullptr) return false;
    const LinearLayer& layer = *handle->layer;
    if (i == 0) {
      call->scheme = layer.input;
    } else if (!call->scheme.same_rows(layer.input)) {
      throw_error(env, code::kArgument, "linears[%zu] must take its input as linears[0] does", i);
      return false;
    }
    call->scheme.row_sums |= layer.input.row_sums;
    call->reject_non_finite |= layer.reject_non_finite;
    call->layers.push_back(handle->layer);
    call->outputs.push_back({layer.weights.weights.get(), layer.epilogue, nullptr});
  }
  if (linears.empty()) throw_error(env, code::kArgument, "linears must not be empty");
  return !linears.empty();
}

// x, scales, zeroPoints: float32 rows and two nulls, or codes and their parameters.
bool read_input(napi_env env, const napi_value* arguments, LayersCall* call) {
  TypedArray x, scales, zero_points;
  size_t size;
  if (!multiply(env, call->m, call->scheme.k, &size)) return false;
  if (is_null_or_undefined(env, arguments[1])) {
    if (!read_typed_array(env, arguments[0], "x", napi_float32_array, &x) || !check_length(env, "x", x, size)) {
      return false;
    }
    call->input.x = x.as<float>();
    return true;
  }
  if (!read_any_typed_array(env, arguments[0], "x", &x) || !check_length(env, "x", x, size) ||
      !read_typed_array(env, arguments[1], "scales", napi_float32_array, &scales) ||
      !read_typed_array(env, arguments[2], "zeroPoints", napi_int32_array, &zero_points)) {
    return false;
  }
  const bool is_signed = x.type == napi_int8_array;
  if ((!is_signed && x.type != napi_uint8_array) || call->scheme.weights == Scheme::float32) {
    throw_error(env, code::kDtype, "x must hold 8-bit codes, and meet int8 weights");
    return false;
  }
  const bool per_row = scales.length != 1;
  if (per_row && !check_length(env, "scales", scales, call->m)) return false;
  if (!check_length(env, "zeroPoints", zero_points, scales.length)) return false;
  // Empty rows may have no memory behind them, which would read as "no codes".
  static const uint8_t nothing = 0;
  call->input.quantized = {x.data != nullptr ? x.data : &nothing, is_signed, per_row, scales.as<float>(),
                           zero_points.as<int32_t>()};
  return true;
}

bool read_outputs(napi_env env, const std::vector<napi_value>& outs, LayersCall* call) {
  if (outs.size() != call->layers.size()) {
    throw_error(env, code::kShape, "outs must have %zu elements, got %zu", call->layers.size(), outs.size());
    return false;
  }
  for (size_t i = 0; i < outs.size(); ++i) {
    if (!read_output(env, outs[i], *call->layers[i], call->m, &call->outputs[i].y)) return false;
  }
  return true;
}

bool read_residual(napi_env env, napi_value value, LayersCall* call) {
  if (is_null_or_undefined(env, value)) return true;
  TypedArray residual;
  if (!read_typed_array(env, value, "residual", napi_float32_array, &residual)) return false;
  if (call->layers.size() != 1) {
    throw_error(env, code::kArgument, "residual must go with one linear, got %zu", call->layers.size());
    return false;
  }
  if (!check_length(env, "residual", residual, call->m * call->outputs[0].weights->n)) return false;
  call->outputs[0].epilogue.residual = residual.as<float>();
  return true;
}

napi_value linear_forward_js(napi_env env, napi_callback_info info) {
  Args<4> args(env, info);
  TypedArray x;
  size_t m, size;
  const auto* handle = unwrap_live_handle<LinearHandle>(env, args[0]);
  if (handle == nullptr) return nullptr;
  const LinearLayer& layer = *handle->layer;
  LinearOutput output = {layer.weights.weights.get(), layer.epilogue, nullptr};
  if (!read_typed_array(env, args[1], "x", napi_float32_array, &x) || !read_size(env, args[2], "m", &m) ||
      !multiply(env, m, layer.input.k, &size) || !check_length(env, "x", x, size) ||
      !read_output(env, args[3], layer, m, &output.y)) {
    return nullptr;
  }
  Input input;
  input.x = x.as<float>();
  const Status status = forward_layers(layer.input, input, m, layer.reject_non_finite, &output, 1);
  return status == Status::ok ? nullptr : throw_status(env, status, "x");
}

napi_value linear_forward_all_js(napi_env env, napi_callback_info info) {
  Args<7> args(env, info);
  LayersCall call;
  if (!read_layers_call(env, args.values, &call)) return nullptr;
  const Status status =
      forward_layers(call.scheme, call.input, call.m, call.reject_non_finite, call.outputs.data(), call.outputs.size());
  return status == Status::ok ? nullptr : throw_status(env, status, "x");
}

}  // namespace

bool read_layers_call(napi_env env, const napi_value* arguments, LayersCall* call) {
  std::vector<napi_value> linears, outs;
  return read_elements(env, arguments[0], "linears", &linears) && read_elements(env, arguments[5], "outs", &outs) &&
         read_layers(env, linears, call) && read_size(env, arguments[4], "m", &call->m) &&
         read_input(env, arguments + 1, call) && read_outputs(env, outs, call) &&
         read_residual(env, arguments[6], call);
}

void init_linear_call(napi_env env, napi_value exports) {
  export_functions(env, exports, {{"linearForward", linear_forward_js}, {"linearForwardAll", linear_forward_all_js}});
}

}  // namespace qgemm::addon
