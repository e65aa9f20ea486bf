#pragma once
#include <node_api.h>

namespace qgemm::addon {

/// stridedCopy, crc32 (NativeByteTools in lib/native-types.ts).
void init_byte_tools(napi_env env, napi_value exports);

}  // namespace qgemm::addon
