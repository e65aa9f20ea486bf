#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "core/pack.h"
#include "core/prepared_rows.h"
#include "core/status.h"

namespace qgemm {

/// Codes in [qmin, qmax] for a scale > 0 and a zero point within.
OutputCodes make_output_codes(float scale, int32_t zero_point, int32_t qmin, int32_t qmax);

struct LinearEpilogue {
  const float* bias = nullptr;      // [Np], zero padded, or null
  const float* residual = nullptr;  // [m, N] or null
  Activation activation = Activation::none;
  const OutputCodes* output = nullptr;  // y is then [m, N] bytes, else float32
};

/// y[m, N] = epilogue(rows . W^T), on the pool. `cancel` (may be null) is looked at between blocks of some tens of
/// microseconds to some milliseconds.
Status gemm(const PackedWeights& weights, const PreparedRows& rows, const LinearEpilogue& epilogue, void* y,
            const std::atomic<bool>* cancel);

/// One layer of a call, and where its y[m, N] goes. `y` may share memory with the input and with the residual.
struct LinearOutput {
  const PackedWeights* weights;
  LinearEpilogue epilogue;
  void* y;
};

class PrivateRows;

/// prepare_rows and gemm at once, each thread preparing the rows that it multiplies. x and y must not overlap; x is
/// float32, and what is not finite is not rejected.
Status gemm_from_input(const InputScheme& scheme, const Input& input, size_t m, const LinearOutput& output,
                       PrivateRows* rows);

/// prepare_rows once and gemm for each layer, with scratch memory that the calling thread keeps: the synchronous path.
/// All weights have the K, scheme and zero points (row_sums) that `scheme` says.
Status forward_layers(const InputScheme& scheme, const Input& input, size_t m, bool reject_non_finite,
                      const LinearOutput* outputs, size_t count);

/// forward_layers for one layer with dynamic activations.
Status linear_forward(const PackedWeights& weights, const float* x, size_t m, bool reject_non_finite,
                      const LinearEpilogue& epilogue, float* y);

/// c[m, n] = (a - a_zero_point) . (b - b_zero_point) modulo 2^32, a [M, K] and b [K, N] row-major, each int8 or uint8
/// (ONNX MatMulInteger).
Status matmul_integer(const void* a, bool a_signed, const void* b, bool b_signed, size_t m, size_t n, size_t k,
                      int32_t a_zero_point, int32_t b_zero_point, int32_t* c);

}  // namespace qgemm
