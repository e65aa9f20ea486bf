// gemm_f32_{6x16, 1x64}c1_avx2
// Instructions: vfmadd231ps ymm, vbroadcastss from memory.
// Tile 6x16: 12 accumulators + 2 weights + 1 activation = 15 of 16 registers; half a panel wide. Per step of k: 2 + 6
// loads for 12 fma. A comes packed [k][6]. Tile 1x64: 8 accumulators over two panels.
// Panel: [k][32] float32; 16 columns are two operands.
#include "kernels/kernel.h"
#include "kernels/vec/avx2.h"
#include "kernels/activations.inc"
#include "kernels/epilogue.inc"
#include "kernels/tile_switch.h"

namespace qgemm {

namespace {  // internal linkage: another file has a Tile too

// kRows rows x kGroups groups of 16 columns.
template <int kRows, int kGroups>
struct Tile {
  static void run(const GemmF32Args* args) {
    constexpr int kVectors = 2 * kGroups;
    __m256 sums[kRows][kVectors];
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) sums[i][v] = _mm256_setzero_ps();
    }
    const size_t lda = args->lda;
    const float* a = args->a;
    const float* b = args->b;
    const size_t panel_stride = args->panel_stride;
    for (size_t k = 0; k < args->k; ++k) {
      __m256 w[kVectors];
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) w[v] = _mm256_load_ps(b + (v / 4) * panel_stride + (v % 4) * 8);
#pragma GCC unroll 8
      for (int i = 0; i < kRows; ++i) {
        const __m256 x = _mm256_set1_ps(a[i]);
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) sums[i][v] = _mm256_fmadd_ps(x, w[v], sums[i][v]);
      }
      a += lda;
      b += kPanelColumns;
    }
    alignas(32) float tile[kRows * kGroups * 16];
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) _mm256_store_ps(tile + (i * kVectors + v) * 8, sums[i][v]);
    }
    epilogue_f32(tile, kGroups * 16, args);
  }
};

}  // namespace

void gemm_f32_6x16c1_avx2(const GemmF32Args* args) { run_tile<Tile, 6, 1>(args->m, 1, args); }
void gemm_f32_1x64c1_avx2(const GemmF32Args* args) { run_panels<Tile, 1, 4>((args->n + 15) / 16, args); }

}  // namespace qgemm
