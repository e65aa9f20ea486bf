#pragma once
#include <node_api.h>

#include <memory>
#include <new>

#include "addon/env_state.h"
#include "addon/errors.h"

namespace qgemm::addon {

/// Tells V8 about `bytes` of native memory for as long as this lives, so that garbage collection keeps up with it. Made
/// and destroyed on the JavaScript thread.
class ExternalMemory {
 public:
  ExternalMemory(napi_env env, size_t bytes) : env_(env), bytes_(static_cast<int64_t>(bytes)) { adjust(bytes_); }
  ~ExternalMemory() { adjust(-bytes_); }
  ExternalMemory(const ExternalMemory&) = delete;
  ExternalMemory& operator=(const ExternalMemory&) = delete;

 private:
  void adjust(int64_t change) {
    int64_t total;
    napi_adjust_external_memory(env_, change, &total);
  }

  napi_env env_;
  int64_t bytes_;
};

/// What a handle points at. It knows the table that it is in, which may outlive the thread's EnvState.
template <typename T>
struct HandleTarget {
  std::unique_ptr<T> native;
  std::shared_ptr<LiveHandles> live;
};

/// Makes the JavaScript value that owns `*native`. T::kName tells the kinds of handles apart. Null, with an exception
/// pending, when that fails.
template <typename T>
napi_value wrap_handle(napi_env env, std::unique_ptr<T> native) {
  if (native == nullptr) return throw_status(env, Status::out_of_memory, T::kName);
  auto target = std::make_unique<HandleTarget<T>>();
  target->native = std::move(native);
  target->live = env_state(env)->handles;
  const auto finalize = [](napi_env, void* data, void*) {
    auto* target = static_cast<HandleTarget<T>*>(data);
    target->live->erase(target);
    delete target;
  };
  napi_value value = nullptr;
  if (napi_create_external(env, target.get(), finalize, nullptr, &value) != napi_ok) return nullptr;
  target->live->emplace(target.get(), T::kName);
  target.release();
  return value;
}

/// The native side of a handle. Throws ARGUMENT and returns null for anything else.
template <typename T>
T* unwrap_handle(napi_env env, napi_value value) {
  void* data = nullptr;
  if (napi_get_value_external(env, value, &data) == napi_ok) {
    const LiveHandles& live = *env_state(env)->handles;
    const auto found = live.find(data);
    if (found != live.end() && found->second == T::kName) return static_cast<HandleTarget<T>*>(data)->native.get();
  }
  throw_error(env, code::kArgument, "a native %s was expected", T::kName);
  return nullptr;
}

/// As unwrap_handle, and throws DISPOSED when the handle has let go of what it held.
template <typename T>
T* unwrap_live_handle(napi_env env, napi_value value) {
  T* handle = unwrap_handle<T>(env, value);
  if (handle == nullptr || handle->alive()) return handle;
  throw_error(env, code::kDisposed, "this %s was disposed of and can no longer be used", T::kName);
  return nullptr;
}

}  // namespace qgemm::addon
