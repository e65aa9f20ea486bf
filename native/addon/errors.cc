#include "addon/errors.h"

#include <cstdarg>
#include <cstdio>

#include "addon/env_state.h"

namespace qgemm::addon {

napi_value make_error(napi_env env, const char* code, const char* message) {
  napi_value values[2];
  if (napi_create_string_utf8(env, code, NAPI_AUTO_LENGTH, &values[0]) != napi_ok ||
      napi_create_string_utf8(env, message, NAPI_AUTO_LENGTH, &values[1]) != napi_ok) {
    return nullptr;
  }
  napi_value error = nullptr;
  napi_value error_class = nullptr;
  EnvState* state = env_state(env);
  if (state != nullptr && state->error_class != nullptr) {
    napi_get_reference_value(env, state->error_class, &error_class);
  }
  if (error_class != nullptr) {
    napi_new_instance(env, error_class, 2, values, &error);
  } else {
    napi_create_error(env, values[0], values[1], &error);
  }
  return error;
}

napi_value throw_error(napi_env env, const char* code, const char* format, ...) {
  char message[4096];  // room for the names of all kernels
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(message, sizeof(message), format, arguments);
  va_end(arguments);
  napi_value error = make_error(env, code, message);
  if (error != nullptr) napi_throw(env, error);
  return nullptr;
}

namespace {

const char* status_message(Status status, const char* what, char (&buffer)[200]) {
  if (status != Status::non_finite) return "there is not enough memory for this operation";
  std::snprintf(buffer, sizeof(buffer), "%s must be finite (nonFinite: 'error'), but it holds NaN or an infinity",
                what);
  return buffer;
}

const char* status_code(Status status) { return status == Status::non_finite ? code::kRange : code::kOutOfMemory; }

}  // namespace

napi_value make_status_error(napi_env env, Status status, const char* what) {
  char buffer[200];
  return make_error(env, status_code(status), status_message(status, what, buffer));
}

napi_value throw_status(napi_env env, Status status, const char* what) {
  char buffer[200];
  return throw_error(env, status_code(status), "%s", status_message(status, what, buffer));
}

namespace {

/// setErrorClass(QgemmError): errors thrown from now on are made by it.
napi_value set_error_class(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value error_class;
  napi_get_cb_info(env, info, &count, &error_class, nullptr, nullptr);
  napi_valuetype type = napi_undefined;
  napi_typeof(env, error_class, &type);
  if (type != napi_function) return throw_error(env, code::kArgument, "error class must be a constructor");
  EnvState* state = env_state(env);
  if (state->error_class != nullptr) napi_delete_reference(env, state->error_class);
  state->error_class = nullptr;
  napi_create_reference(env, error_class, 1, &state->error_class);
  return nullptr;
}

}  // namespace

void init_errors(napi_env env, napi_value exports) {
  export_functions(env, exports, {{"setErrorClass", set_error_class}});
}

}  // namespace qgemm::addon
