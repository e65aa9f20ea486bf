// The benchmark's own addon (bench/binding.gyp): not part of the package, built when the benchmark first runs.
#include <node_api.h>

#include "bench/peak.h"

namespace {

napi_value peak_gops(napi_env env, napi_callback_info info) {
  size_t count = 2;
  napi_value arguments[2];
  char instruction[32] = "";
  size_t length;
  double milliseconds = 0;
  if (napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr) != napi_ok || count < 2 ||
      napi_get_value_string_utf8(env, arguments[0], instruction, sizeof instruction, &length) != napi_ok ||
      napi_get_value_double(env, arguments[1], &milliseconds) != napi_ok) {
    napi_throw_type_error(env, nullptr, "peakGops(instruction: string, milliseconds: number)");
    return nullptr;
  }
  napi_value result;
  return napi_create_double(env, qgemm::bench::peak_gops(instruction, milliseconds), &result) == napi_ok ? result
                                                                                                         : nullptr;
}

napi_value init(napi_env env, napi_value exports) {
  napi_value function;
  if (napi_create_function(env, "peakGops", NAPI_AUTO_LENGTH, peak_gops, nullptr, &function) != napi_ok ||
      napi_set_named_property(env, exports, "peakGops", function) != napi_ok) {
    return nullptr;
  }
  return exports;
}

}  // namespace

NAPI_MODULE(NODE_GYP_MODULE_NAME, init)
