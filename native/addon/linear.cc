#include "addon/linear.h"

#include <cstring>

#include "addon/args.h"
#include "addon/env_state.h"

namespace qgemm::addon {

namespace {

// {scale, zeroPoint, signed}: a scale > 0 and a code of the type.
struct CodeParameters {
  float scale;
  int32_t zero_point;
  bool is_signed;
};

bool read_code_parameters(napi_env env, napi_value object, CodeParameters* result) {
  const auto get = [&](const char* name) {
    napi_value value = nullptr;
    if (napi_get_named_property(env, object, name, &value) != napi_ok) napi_get_undefined(env, &value);
    return value;
  };
  if (!read_float(env, get("scale"), "scale", &result->scale) ||
      !read_int32(env, get("zeroPoint"), "zeroPoint", &result->zero_point) ||
      !read_bool(env, get("signed"), "signed", &result->is_signed)) {
    return false;
  }
  const int32_t lowest = result->is_signed ? -128 : 0;
  if (result->scale > 0 && result->zero_point >= lowest && result->zero_point <= lowest + 255) return true;
  throw_error(env, code::kRange, "scale must be > 0 and zeroPoint a code, got %g and %d",
              static_cast<double>(result->scale), result->zero_point);
  return false;
}

bool read_input_scheme(napi_env env, napi_value value, InputScheme* scheme) {
  if (is_null_or_undefined(env, value)) return true;
  CodeParameters given;
  if (!read_code_parameters(env, value, &given)) return false;
  scheme->is_static = true;
  scheme->scale = given.scale;
  scheme->zero_point = given.zero_point + (given.is_signed ? 128 : 0);
  return true;
}

bool read_output_codes(napi_env env, napi_value value, LinearLayer* layer) {
  if (is_null_or_undefined(env, value)) return true;
  CodeParameters given;
  if (!read_code_parameters(env, value, &given)) return false;
  const int32_t lowest = given.is_signed ? -128 : 0;
  layer->output_codes = make_output_codes(given.scale, given.zero_point, lowest, lowest + 255);
  layer->output_type = given.is_signed ? napi_int8_array : napi_uint8_array;
  layer->epilogue.output = &layer->output_codes;
  return true;
}

bool read_bias(napi_env env, napi_value value, LinearLayer* layer) {
  if (is_null_or_undefined(env, value)) return true;
  TypedArray bias;
  const PackedWeights& weights = *layer->weights.weights;
  if (!read_typed_array(env, value, "bias", napi_float32_array, &bias) || !check_length(env, "bias", bias, weights.n)) {
    return false;
  }
  size_t bytes = weights.padded_n() * sizeof(float);
  if (!layer->bias.allocate(bytes)) {
    throw_status(env, Status::out_of_memory, "bias");
    return false;
  }
  std::memset(layer->bias.as<char>(), 0, bytes);
  if (weights.n > 0) std::memcpy(layer->bias.as<char>(), bias.data, weights.n * sizeof(float));
  layer->epilogue.bias = layer->bias.as<float>();
  return true;
}

napi_value linear_create(napi_env env, napi_callback_info info) {
  Args<6> args(env, info);
  auto* weights = unwrap_live_handle<WeightsHandle>(env, args[0]);
  auto layer = std::make_shared<LinearLayer>();
  if (weights == nullptr || !read_enum(env, args[2], "activation", 5, &layer->epilogue.activation) ||
      !read_bool(env, args[3], "rejectNonFinite", &layer->reject_non_finite)) {
    return nullptr;
  }
  layer->weights = weights->ref;
  layer->input = dynamic_input(*layer->weights.weights);
  if (!read_bias(env, args[1], layer.get()) || !read_input_scheme(env, args[4], &layer->input) ||
      !read_output_codes(env, args[5], layer.get())) {
    return nullptr;
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

}  // namespace

void init_linear(napi_env env, napi_value exports) {
  export_functions(env, exports, {{"linearCreate", linear_create}, {"linearDispose", linear_dispose}});
}

}  // namespace qgemm::addon
