#include "addon/error_stats.h"

#include "addon/args.h"
#include "addon/env_state.h"
#include "addon/errors.h"
#include "core/error_stats.h"

namespace qgemm::addon {
namespace {

static_assert(sizeof(ErrorStats) % sizeof(double) == 0, "JavaScript holds the struct as doubles");
constexpr size_t kStatsDoubles = sizeof(ErrorStats) / sizeof(double);

bool read_stats(napi_env env, napi_value value, TypedArray* stats) {
  return read_typed_array(env, value, "stats", napi_float64_array, stats) &&
         check_length(env, "stats", *stats, kStatsDoubles);
}

bool read_pair(napi_env env, napi_value x, napi_value y, TypedArray* original, TypedArray* approximation) {
  return read_typed_array(env, x, "original", napi_float32_array, original) &&
         read_typed_array(env, y, "approximation", napi_float32_array, approximation) &&
         check_length(env, "approximation", *approximation, original->length);
}

void set_number(napi_env env, napi_value object, const char* name, double value) {
  napi_value number;
  napi_create_double(env, value, &number);
  napi_set_named_property(env, object, name, number);
}

napi_value to_object(napi_env env, const Comparison& comparison) {
  napi_value object;
  napi_create_object(env, &object);
  set_number(env, object, "sqnr", comparison.sqnr);
  set_number(env, object, "cosine", comparison.cosine);
  set_number(env, object, "maxError", comparison.max_error);
  return object;
}

napi_value compare(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  TypedArray x, y;
  if (!read_pair(env, args[0], args[1], &x, &y)) return nullptr;
  return to_object(env, compare_float32(x.as<float>(), y.as<float>(), x.length));
}

napi_value accumulate(napi_env env, napi_callback_info info) {
  const Args<3> args(env, info);
  TypedArray stats, x, y;
  if (!read_stats(env, args[0], &stats) || !read_pair(env, args[1], args[2], &x, &y)) return nullptr;
  accumulate_errors(x.as<float>(), y.as<float>(), x.length, stats.as<ErrorStats>());
  return nullptr;
}

napi_value comparison(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  TypedArray stats;
  if (!read_stats(env, args[0], &stats)) return nullptr;
  return to_object(env, comparison_of(*stats.as<ErrorStats>()));
}

}  // namespace

void init_error_stats(napi_env env, napi_value exports) {
  export_functions(env, exports,
                   {{"compareFloat32", compare}, {"accumulateErrors", accumulate}, {"comparisonOf", comparison}});
}

}  // namespace qgemm::addon
