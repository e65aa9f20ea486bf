#pragma once
#include <node_api.h>

namespace qgemm::addon {

/// ggufDequantize, ggufQuantizeQ8, toFloat16 (NativeGguf in lib/native-types.ts).
void init_gguf(napi_env env, napi_value exports);

}  // namespace qgemm::addon
