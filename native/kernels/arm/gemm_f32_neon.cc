// gemm_f32_{8x8, 1x32}c1_neon
// Instructions: fmla by element.
// Tile 8x8: 16 accumulators + 2 weights + 2 activations = 20 of 32 registers. Per step of k: 4 loads for 16 fmla. A
// comes packed [k][8]. Tile 1x32: 8 accumulators, one panel. Panel: [k][32] float32; 8 columns are two operands.
#include "kernels/kernel.h"
#include "kernels/vec/neon.h"
//
#include "kernels/activations.inc"
#include "kernels/epilogue.inc"
#include "kernels/tile_switch.h"

namespace qgemm {
namespace {  // internal linkage: another file has a Tile too

// kRows rows x kGroups groups of 8 columns, within one panel.
template <int kRows, int kGroups>
struct Tile {
  static void run(const GemmF32Args* args) {
    constexpr int kVectors = 2 * kGroups;
    float32x4_t sums[kRows][kVectors];
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) sums[i][v] = vdupq_n_f32(0.0f);
    }
    const float* a = args->a;
    const float* b = args->b;
    for (size_t k = 0; k < args->k; ++k) {
      float32x4_t w[kVectors];
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) w[v] = vld1q_f32(b + 4 * v);
#pragma GCC unroll 8
      for (int i = 0; i < kRows; ++i) {
        const float32x4_t x = vld1q_dup_f32(a + i);
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) sums[i][v] = vfmaq_f32(sums[i][v], x, w[v]);
      }
      a += args->lda;
      b += kPanelColumns;
    }
    float tile[kRows * kGroups * 8];
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) vst1q_f32(tile + (i * kVectors + v) * 4, sums[i][v]);
    }
    epilogue_f32(tile, kGroups * 8, args);
  }
};

}  // namespace

void gemm_f32_8x8c1_neon(const GemmF32Args* args) { run_tile<Tile, 8, 1>(args->m, 1, args); }
void gemm_f32_1x32c1_neon(const GemmF32Args* args) { run_panels<Tile, 1, 4>((args->n + 7) / 8, args); }

}  // namespace qgemm
