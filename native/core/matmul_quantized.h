#pragma once
#include <atomic>
#include <cstddef>

#include "core/status.h"

namespace qgemm {

/// Sizes of a batch of products of two activations. `transpose_b`: b is [batch, N, K], else [batch, K, N].
struct BatchedShape {
  size_t batch = 1, m = 0, n = 0, k = 0;
  bool transpose_b = false;
};

/// c[i] = scale * a[i] . b[i], for each i of the batch: a [batch, M, K], c [batch, M, N], row-major float32. Rows of a
/// are quantized to uint8 as activations are, columns of b to int8 as weights are (docs/quantization.md):
///   c[m, n] = fma(float(sum), a_scale[m] * (b_scale[n] * scale), 0)
/// on the pool; c may share memory with a and b. Sizes were checked: products fit size_t, and sums of K products int32.
Status matmul_quantized(const float* a, const float* b, const BatchedShape& shape, float scale, float* c,
                        const std::atomic<bool>* cancel);

}  // namespace qgemm
