#pragma once
#include <node_api.h>

namespace qgemm::addon {

/// compareFloat32, accumulateErrors, comparisonOf (NativeErrorStats in lib/native-types.ts).
void init_error_stats(napi_env env, napi_value exports);

}  // namespace qgemm::addon
