#pragma once
#include <node_api.h>

#include <memory>

#include "addon/weights.h"
#include "core/gemm.h"

namespace qgemm::addon {

/// One linear layer, immutable: shared by its handle and by jobs in flight, all of one JavaScript thread.
struct LinearLayer {
  WeightsRef weights;
  AlignedBuffer bias;  // [Np], or empty
  LinearEpilogue epilogue;
  bool reject_non_finite = false;
};

/// What a NativeLinear object of lib/native-types.ts owns.
struct LinearHandle {
  static constexpr char kName[] = "Linear";
  static constexpr napi_type_tag kTag = {0x3c9a1e7740d2b86f, 0xb51f602c8e93da47};

  bool alive() const { return layer != nullptr; }

  std::shared_ptr<const LinearLayer> layer;
};

/// The arguments (linear, x, m, y) of a forward call, checked: x holds m * K values, y m * N.
struct ForwardCall {
  const LinearHandle* handle;
  const float* x;
  size_t m;
  float* y;
};
bool read_forward_call(napi_env env, const napi_value* arguments, ForwardCall* call);

void init_linear(napi_env env, napi_value exports);
void init_linear_async(napi_env env, napi_value exports);

}  // namespace qgemm::addon
