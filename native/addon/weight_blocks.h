#pragma once
#include <node_api.h>

namespace qgemm::addon {

/// Adds what the converter calls for every block of a weight: extendRange and packCodes.
void init_weight_blocks(napi_env env, napi_value exports);

}  // namespace qgemm::addon
