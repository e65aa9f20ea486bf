#pragma once
#include <node_api.h>

namespace qgemm::addon {

/// toFloat32, affineDequantize (NativeTensorTools in lib/native-types.ts).
void init_tensor_tools(napi_env env, napi_value exports);

}  // namespace qgemm::addon
