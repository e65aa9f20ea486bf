// gemm_u8s8f32_4x32c4_scalar: the kernel that every CPU can run.
// Instructions: whatever the baseline has. Tile: 4 rows x 32 columns (one panel), sums in memory (L1), 4 steps of k at
// a time as the panel has them. The inner loop runs over the 32 columns of one panel row so that the compiler can
// vectorise it for the baseline.
// Panel: [k/4][32][4] int8.
#include "kernels/kernel.h"
#include "kernels/vec/scalar.h"
#include "kernels/activations.inc"
#include "kernels/epilogue.inc"

namespace qgemm {

static void accumulate_row(const uint8_t* a, const int8_t* b, size_t k, int32_t* sums) {
  for (size_t kk = 0; kk < k; kk += 4) {
    const int32_t a0 = a[kk], a1 = a[kk + 1], a2 = a[kk + 2], a3 = a[kk + 3];
    const int8_t* row = b + kk * kPanelColumns;
    for (size_t j = 0; j < kPanelColumns; ++j) {
      const int32_t products = a0 * row[4 * j] + a1 * row[4 * j + 1] + a2 * row[4 * j + 2] + a3 * row[4 * j + 3];
      // Unsigned: sums wrap modulo 2^32, which int32 may not.
      sums[j] = static_cast<int32_t>(static_cast<uint32_t>(sums[j]) + static_cast<uint32_t>(products));
    }
  }
}

void gemm_u8s8f32_4x32c4_scalar(const GemmU8S8Args* args) {
  int32_t tile[4 * kPanelColumns] = {0};
  for (size_t i = 0; i < args->m; ++i) {
    accumulate_row(args->a + i * args->lda, args->b, args->k, tile + i * kPanelColumns);
  }
  epilogue_u8s8(tile, kPanelColumns, args);
}

}  // namespace qgemm
