#pragma once
#include "core/gemm.h"
#include "core/tiling.h"
#include "kernels/kernel.h"

namespace qgemm {

/// The float32 half of prepare_rows (prepared_rows.h): packs m rows for a kernel of `mr` rows.
Status prepare_rows_f32(size_t k, const float* x, size_t m, size_t mr, bool reject_non_finite, bool parallel,
                        PreparedRows* out);

/// Rows that tiles of m rows have: those of the kernel, or fewer of a large one, where they share the rows evenly.
size_t rows_of_tiles_f32(size_t m);

/// Whether a kernel can take a tile some steps of k at a time.
bool can_pause(const Kernel<GemmF32Fn>& kernel);

/// Whether a kernel can read rows as the caller has them, not only packed ones.
bool can_take_rows(const Kernel<GemmF32Fn>& kernel);

/// One multiplication by float32 weights: what its blocks have in common.
class Float32Gemm {
 public:
  /// `of_caller`: rows may be read where they lie, if they had better be.
  Float32Gemm(const PackedWeights& weights, size_t m, const LinearEpilogue& epilogue, void* y, bool of_caller);

  const Tiling& tiling() const { return tiling_; }

  /// Whether `run` wants rows as they lie, not prepared ones.
  bool takes_rows() const { return takes_rows_; }

  /// Row 0 of the block is row `first` of `rows`; of prepared ones that is a multiple of the rows of tiles.
  void run(const Block& block, const PreparedRows& rows, size_t first) const;

 private:
  // Columns [col, col + n) of a block, and steps [k, k + depth) of what is summed up there, by tiles of mr rows.
  struct Slice {
    size_t col, n, k, depth, mr;
  };
  size_t rows_of_tile() const;
  void run_slice(const Block& block, const Slice& slice, GemmF32Args* args) const;
  const float* panel_of(size_t col) const {
    return static_cast<const float*>(w_.panels) + col / kPanelColumns * w_.panel_stride() + col % kPanelColumns;
  }

  const PackedWeights& w_;
  LinearEpilogue epilogue_;
  void* y_;
  const Kernel<GemmF32Fn>& kernel_;
  bool takes_rows_;
  Tiling tiling_;
  bool far_, ask_ahead_;
  size_t depth_;  // steps of k of a slice
};

}  // namespace qgemm
