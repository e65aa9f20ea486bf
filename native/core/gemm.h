#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "core/aligned_buffer.h"
#include "core/pack.h"
#include "core/status.h"

namespace qgemm {

/// Rows of activations as the driver hands them to kernels: a private copy of the caller's numbers, quantized for int8
/// weights, row-major or packed float32 for float32 weights. Making it is the only time the caller's memory is read.
struct PreparedRows {
  size_t m = 0;
  size_t lda = 0;  // bytes between rows of q
  AlignedBuffer memory;
  uint8_t* q = nullptr;
  float* scales = nullptr;
  int32_t* zero_points = nullptr;
  int32_t* row_sums = nullptr;
  float* values = nullptr;  // float32 weights: blocks [k, mr] of the kernel that will read them
  const Kernel<GemmF32Fn>* kernel_f32 = nullptr;
};

/// Reads x[m, K] and makes the private copy. `parallel` uses the pool; without it all runs on the calling thread.
/// Reuses `out`'s memory. Status::non_finite only when `reject_non_finite`.
Status prepare_rows(const PackedWeights& weights, const float* x, size_t m, bool reject_non_finite, bool parallel,
                    PreparedRows* out);

struct LinearEpilogue {
  const float* bias = nullptr;      // [Np], zero padded, or null
  const float* residual = nullptr;  // [m, N] or null
  Activation activation = Activation::none;
};

/// y[m, N] = epilogue(rows . W^T), on the pool. `cancel` (may be null) is looked at between blocks of some tens of
/// microseconds to some milliseconds.
Status gemm(const PackedWeights& weights, const PreparedRows& rows, const LinearEpilogue& epilogue, float* y,
            const std::atomic<bool>* cancel);

/// prepare_rows and gemm in one, with scratch memory that the calling thread keeps: the synchronous path.
Status linear_forward(const PackedWeights& weights, const float* x, size_t m, bool reject_non_finite,
                      const LinearEpilogue& epilogue, float* y);

/// c[m, n] = (a - a_zero_point) . (b - b_zero_point) modulo 2^32, a [M, K] and b [K, N] row-major, each int8 or uint8
/// (ONNX MatMulInteger).
Status matmul_integer(const void* a, bool a_signed, const void* b, bool b_signed, size_t m, size_t n, size_t k,
                      int32_t a_zero_point, int32_t b_zero_point, int32_t* c);

}  // namespace qgemm
