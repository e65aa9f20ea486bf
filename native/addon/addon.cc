// Loads the addon into one JavaScript thread: reads the environment variables, makes the thread's own state, and has
// each source file add its functions.
#include <node_api.h>

#include <cstdlib>
#include <new>
#include <string>

#include "addon/byte_tools.h"
#include "addon/cpu.h"
#include "addon/env_state.h"
#include "addon/error_stats.h"
#include "addon/errors.h"
#include "addon/gguf.h"
#include "addon/linear.h"
#include "addon/mapping.h"
#include "addon/matmul_quantized.h"
#include "addon/quantize.h"
#include "addon/tensor_tools.h"
#include "addon/weight_blocks.h"
#include "addon/weights.h"
#include "addon/wire_data.h"
#include "core/cpu.h"
#include "core/dispatch.h"
#include "core/pin_library.h"
#include "core/thread_count.h"

namespace qgemm::addon {

namespace {

/// What QGEMM_MAX_ISA, QGEMM_KERNEL and QGEMM_NUM_THREADS said when this process first loaded the addon.
struct Environment {
  std::string error;
  bool isa_missing = false;
};

const Environment& read_environment() {
  static const Environment* environment = [] {
    auto* result = new Environment;
    DispatchConfig config;
    size_t threads;
    if (read_dispatch_config(cpu_features(), std::getenv("QGEMM_MAX_ISA"), std::getenv("QGEMM_KERNEL"), &config,
                             &result->error, &result->isa_missing) &&
        parse_thread_count(std::getenv("QGEMM_NUM_THREADS"), 1, &threads, &result->error)) {
      set_dispatch_config(config);
    }
    return result;
  }();
  return *environment;
}

napi_value init(napi_env env, napi_value exports) {
  const Environment& environment = read_environment();
  if (!environment.error.empty()) {
    return throw_error(env, environment.isa_missing ? code::kIsa : code::kArgument, "%s", environment.error.c_str());
  }
  pin_library();
  auto* state = new (std::nothrow) EnvState;
  auto finalize = [](napi_env env, void* data, void*) {
    auto* state = static_cast<EnvState*>(data);
    if (state->error_class != nullptr) napi_delete_reference(env, state->error_class);
    delete state;
  };
  if (state == nullptr || napi_set_instance_data(env, state, finalize, nullptr) != napi_ok) {
    delete state;
    return throw_status(env, Status::out_of_memory, "addon");
  }
  init_errors(env, exports);
  init_cpu(env, exports);
  init_weight_blocks(env, exports);
  init_weights(env, exports);
  init_mapping(env, exports);
  init_quantize(env, exports);
  init_error_stats(env, exports);
  init_tensor_tools(env, exports);
  init_gguf(env, exports);
  init_wire_data(env, exports);
  init_byte_tools(env, exports);
  init_linear(env, exports);
  init_linear_call(env, exports);
  init_linear_async(env, exports);
  init_matmul_quantized(env, exports);
  return exports;
}

}  // namespace

}  // namespace qgemm::addon

NAPI_MODULE_INIT() { return qgemm::addon::init(env, exports); }
