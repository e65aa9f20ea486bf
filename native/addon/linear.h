#pragma once
#include <node_api.h>

#include <memory>

#include "addon/weights.h"
#include "core/gemm.h"

namespace qgemm::addon {

/// One linear layer, immutable: shared by its handle and by jobs in flight, all of one JavaScript thread.
struct LinearLayer {
  WeightsRef weights;
  InputScheme input;
  AlignedBuffer bias;        // [Np], or empty
  OutputCodes output_codes;  // what epilogue.output points at, where it is set
  napi_typedarray_type output_type = napi_float32_array;
  LinearEpilogue epilogue;
  bool reject_non_finite = false;
};

/// What a NativeLinear object of lib/native-types.ts owns.
struct LinearHandle {
  static constexpr char kName[] = "Linear";

  bool alive() const { return layer != nullptr; }

  std::shared_ptr<const LinearLayer> layer;
};

void init_linear(napi_env env, napi_value exports);
void init_linear_call(napi_env env, napi_value exports);
void init_linear_async(napi_env env, napi_value exports);

}  // namespace qgemm::addon
