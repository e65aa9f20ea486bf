#pragma once
#include <node_api.h>

#include <memory>
#include <unordered_map>

namespace qgemm::addon {

class AsyncQueue;

/// The handles of one JavaScript thread, with the kind of each. A value is looked for here before it is used: an
/// external value of another addon is a pointer to anything. Type tags of N-API tell the same, in ten times the time.
using LiveHandles = std::unordered_map<const void*, const char*>;

/// What this addon keeps for one JavaScript thread (the main thread or a Worker), as instance data: nothing of
/// JavaScript is ever shared between threads.
struct EnvState {
  napi_ref error_class = nullptr;  // lib/errors.ts QgemmError, once `setErrorClass` was called
  AsyncQueue* async = nullptr;     // made by the first asynchronous call
  std::shared_ptr<LiveHandles> handles = std::make_shared<LiveHandles>();
};

inline EnvState* env_state(napi_env env) {
  void* data = nullptr;
  napi_get_instance_data(env, &data);
  return static_cast<EnvState*>(data);
}

struct Export {
  const char* name;
  napi_callback function;
};

/// Adds functions to `exports`. Each source file of the addon has one `init_<file>` that does so; addon.cc calls them.
template <size_t count>
void export_functions(napi_env env, napi_value exports, const Export (&functions)[count]) {
  for (const Export& item : functions) {
    napi_value function;
    if (napi_create_function(env, item.name, NAPI_AUTO_LENGTH, item.function, nullptr, &function) != napi_ok) return;
    if (napi_set_named_property(env, exports, item.name, function) != napi_ok) return;
  }
}

}  // namespace qgemm::addon
