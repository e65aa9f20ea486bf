#pragma once
#include <node_api.h>

namespace qgemm::addon {

/// decodeVarints, unpackNibbles (NativeWireData in lib/native-types.ts).
void init_wire_data(napi_env env, napi_value exports);

}  // namespace qgemm::addon
