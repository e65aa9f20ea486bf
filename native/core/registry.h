#pragma once
#include <string>

#include "core/pack.h"

namespace qgemm {

/// Weights of this process by token, so that JavaScript threads can share them: a token is data, never a pointer. The
/// registry holds no weights alive. Callable from any thread.
void register_weights(const std::string& token, const WeightsPtr& weights);

/// Null when the token is unknown, or nobody holds its weights any more.
WeightsPtr find_weights(const std::string& token);

}  // namespace qgemm
