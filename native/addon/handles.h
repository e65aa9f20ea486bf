#pragma once
#include <node_api.h>

#include <memory>
#include <new>

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

/// Makes the JavaScript object that owns `*native`. T::kTag tells the kinds of handles apart, from each other and from
/// objects of other addons. Null, with an exception pending, when that fails.
template <typename T>
napi_value wrap_handle(napi_env env, std::unique_ptr<T> native) {
  napi_value object = nullptr;
  auto finalize = [](napi_env, void* data, void*) { delete static_cast<T*>(data); };
  if (native == nullptr) return throw_status(env, Status::out_of_memory, T::kName);
  if (napi_create_object(env, &object) != napi_ok || napi_type_tag_object(env, object, &T::kTag) != napi_ok ||
      napi_wrap(env, object, native.get(), finalize, nullptr, nullptr) != napi_ok) {
    return nullptr;
  }
  native.release();
  return object;
}

/// The native side of a handle. Throws ARGUMENT and returns null for anything else.
template <typename T>
T* unwrap_handle(napi_env env, napi_value value) {
  bool tagged = false;
  void* data = nullptr;
  if (napi_check_object_type_tag(env, value, &T::kTag, &tagged) == napi_ok && tagged &&
      napi_unwrap(env, value, &data) == napi_ok) {
    return static_cast<T*>(data);
  }
  // N-API itself throws a TypeError for undefined and null.
  bool pending = false;
  napi_value exception;
  if (napi_is_exception_pending(env, &pending) == napi_ok && pending) {
    napi_get_and_clear_last_exception(env, &exception);
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
