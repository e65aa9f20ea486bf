#pragma once
#include <node_api.h>

#include <memory>
#include <utility>

#include "addon/handles.h"
#include "core/pack.h"

namespace qgemm::addon {

/// Packed weights as one JavaScript thread holds them: with what was told to V8 about their memory.
struct WeightsRef {
  WeightsPtr weights;
  std::shared_ptr<ExternalMemory> memory;
};

/// What a NativeWeights object of lib/native-types.ts owns.
struct WeightsHandle {
  static constexpr char kName[] = "PackedWeights";

  explicit WeightsHandle(WeightsRef held) : ref(std::move(held)) {}
  bool alive() const { return ref.weights != nullptr; }

  WeightsRef ref;
};

/// A handle for new weights; null weights throw OUT_OF_MEMORY.
napi_value wrap_weights(napi_env env, WeightsPtr weights);

void init_weights(napi_env env, napi_value exports);

}  // namespace qgemm::addon
