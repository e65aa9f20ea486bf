#pragma once
#include "core/gemm.h"

namespace qgemm {

/// The float32 half of prepare_rows and gemm (gemm.h); called by them only.
Status prepare_rows_f32(size_t k, const float* x, size_t m, bool reject_non_finite, bool parallel, PreparedRows* out);
Status gemm_f32(const PackedWeights& weights, const PreparedRows& rows, const LinearEpilogue& epilogue, void* y,
                const std::atomic<bool>* cancel);

}  // namespace qgemm
