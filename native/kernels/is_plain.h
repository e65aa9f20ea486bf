#pragma once
#include "kernels/kernel.h"

namespace qgemm {

/// Whether sums become float32 results with nothing but bias, as in most layers.
static inline bool is_plain(const EpilogueArgs& epilogue) {
  return epilogue.activation == Activation::none && epilogue.residual == nullptr && epilogue.output == nullptr;
}

}  // namespace qgemm
