#pragma once
#include "core/pack.h"

namespace qgemm {

/// Where the arrays of weights in the making are written; null where they have none.
struct PackedArrays {
  int8_t* panels;
  float* float_panels;
  float* scales;
  int32_t* column_sums;
  int32_t* zero_points;
};

/// Allocates and zeroes everything for `weights`, whose scheme, n and k are set. False when there is not enough memory.
[[nodiscard]] bool allocate_packed(PackedWeights* weights, bool with_zero_points, PackedArrays* arrays);

/// Byte offset of element [n, k] in int8 panels.
inline size_t panel_offset(size_t n, size_t k, size_t panel_stride) {
  return n / kPanelColumns * panel_stride + k / 4 * (kPanelColumns * 4) + n % kPanelColumns * 4 + k % 4;
}

}  // namespace qgemm
