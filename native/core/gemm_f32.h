#pragma once
#include "core/gemm.h"
#include "core/tiling.h"
#include "kernels/kernel.h"

namespace qgemm {

/// The float32 half of prepare_rows (prepared_rows.h): packs m rows for a kernel of `mr` rows.
Status prepare_rows_f32(size_t k, const float* x, size_t m, size_t mr, bool reject_non_finite, bool parallel,
                        PreparedRows* out);

/// Rows of the kernel that multiplies m rows.
size_t rows_of_kernel_f32(size_t m);

/// One multiplication by float32 weights: what its blocks have in common.
class Float32Gemm {
 public:
  Float32Gemm(const PackedWeights& weights, size_t m, const LinearEpilogue& epilogue, void* y);

  const Tiling& tiling() const { return tiling_; }

  /// Row 0 of the block is row `first` of `rows`, a multiple of the kernel's rows.
  void run(const Block& block, const PreparedRows& rows, size_t first) const;

 private:
  const PackedWeights& w_;
  const LinearEpilogue& epilogue_;
  void* y_;
  const Kernel<GemmF32Fn>& kernel_;
  Tiling tiling_;
};

}  // namespace qgemm
