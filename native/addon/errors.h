#pragma once
#include <node_api.h>

#include "core/status.h"

namespace qgemm::addon {

/// The stable codes of lib/errors.ts that native code uses.
namespace code {
constexpr char kArgument[] = "ERR_QGEMM_ARGUMENT";
constexpr char kShape[] = "ERR_QGEMM_SHAPE";
constexpr char kDtype[] = "ERR_QGEMM_DTYPE";
constexpr char kRange[] = "ERR_QGEMM_RANGE";
constexpr char kDetached[] = "ERR_QGEMM_DETACHED";
constexpr char kDisposed[] = "ERR_QGEMM_DISPOSED";
constexpr char kFormat[] = "ERR_QGEMM_FORMAT";
constexpr char kLimit[] = "ERR_QGEMM_LIMIT";
constexpr char kIsa[] = "ERR_QGEMM_ISA";
constexpr char kOutOfMemory[] = "ERR_QGEMM_OUT_OF_MEMORY";
constexpr char kIo[] = "ERR_QGEMM_IO";
}  // namespace code

/// A QgemmError (a plain Error with `code` before `setErrorClass`), not thrown. Null when JavaScript cannot run.
napi_value make_error(napi_env env, const char* code, const char* message);

/// Throws a QgemmError with a printf-style message. Always returns null, so that a callback can `return
/// throw_error(...)`.
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
napi_value
throw_error(napi_env env, const char* code, const char* format, ...);

/// The error of a core operation that did not end with Status::ok or Status::cancelled. `what` names the argument that
/// holds NaN or an infinity when that was refused.
napi_value make_status_error(napi_env env, Status status, const char* what);
napi_value throw_status(napi_env env, Status status, const char* what);

void init_errors(napi_env env, napi_value exports);

}  // namespace qgemm::addon
