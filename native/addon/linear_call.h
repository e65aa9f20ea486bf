#pragma once
#include <node_api.h>

#include <memory>
#include <vector>

#include "addon/linear.h"

namespace qgemm::addon {

/// The checked arguments of linearForwardAll and linearForwardAllAsync: layers that share the rows of one input.
struct LayersCall {
  std::vector<std::shared_ptr<const LinearLayer>> layers;
  std::vector<LinearOutput> outputs;  // one for each layer
  InputScheme scheme;
  Input input;
  size_t m = 0;
  bool reject_non_finite = false;

  const float* residual() const { return outputs.empty() ? nullptr : outputs[0].epilogue.residual; }
};

/// Reads (linears, x, scales, zeroPoints, m, outs, residual). Throws and returns false on a value of the wrong kind.
bool read_layers_call(napi_env env, const napi_value* arguments, LayersCall* call);

}  // namespace qgemm::addon
