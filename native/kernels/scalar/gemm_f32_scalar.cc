// gemm_f32_4x32c1_scalar: float32 for CPUs without FMA in their baseline, by the emulation in vec/scalar.h.
// Tile: 4 rows x 32 columns (one panel), sums in memory. Slow and exact: the same bits as every other float32 kernel.
// Panel: [k][32] float32.
#include "kernels/kernel.h"
#include "kernels/vec/scalar.h"
#include "kernels/activations.inc"
#include "kernels/epilogue.inc"

namespace qgemm {

void gemm_f32_4x32c1_scalar(const GemmF32Args* args) {
  float tile[4 * kPanelColumns] = {0};
  for (size_t kk = 0; kk < args->k; ++kk) {
    const float* b = args->b + kk * kPanelColumns;
    for (size_t i = 0; i < args->m; ++i) {
      const float a = args->a[kk * args->lda + i];
      float* sums = tile + i * kPanelColumns;
      for (size_t j = 0; j < kPanelColumns; ++j) sums[j] = f32_fma(a, b[j], sums[j]);
    }
  }
  epilogue_f32(tile, kPanelColumns, args);
}

}  // namespace qgemm
