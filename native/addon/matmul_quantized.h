#pragma once
#include <node_api.h>

namespace qgemm::addon {

void init_matmul_quantized(napi_env env, napi_value exports);

}  // namespace qgemm::addon
