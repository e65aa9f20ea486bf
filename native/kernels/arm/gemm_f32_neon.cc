// gemm_f32_{8x8, 4x16, 1x32}c1_neon
// Instructions: fmla by element.
// A comes packed [k][mr], so that a load brings four rows. Panel: [k][32] float32; 8 columns are two operands.
// Tile 8x8: 16 accumulators + 2 weights + 2 activations = 20 of 32 registers; per step of k 4 loads for 16 fmla.
// Tile 4x16, for few rows: 16 accumulators + 4 weights + 1 activation; 5 loads for 16 fmla.
// Tile 1x32: 8 accumulators, one panel.
#include "kernels/kernel.h"
#include "kernels/arm/schedule.h"
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
  static constexpr int kVectors = 2 * kGroups;

  template <int kLane>
  static inline void row(float32x4_t* sums, float32x4_t x, const float32x4_t* w) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) sums[v] = vfmaq_laneq_f32(sums[v], w[v], x, kLane);
  }

  // One step of k for four rows at a time, then for what is left.
  template <int kFirst>
  static inline void step(float32x4_t (*sums)[kVectors], const float* a, const float32x4_t* w) {
    if constexpr (kFirst + 4 <= kRows) {
      const float32x4_t x = vld1q_f32(a + kFirst);
      row<0>(sums[kFirst], x, w);
      row<1>(sums[kFirst + 1], x, w);
      row<2>(sums[kFirst + 2], x, w);
      row<3>(sums[kFirst + 3], x, w);
      step<kFirst + 4>(sums, a, w);
    } else if constexpr (kFirst < kRows) {
      row<0>(sums[kFirst], vld1q_dup_f32(a + kFirst), w);
      step<kFirst + 1>(sums, a, w);
    }
  }

  static void run(const GemmF32Args* args) {
    float32x4_t sums[kRows][kVectors];
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) sums[i][v] = vdupq_n_f32(0.0f);
    }
    const float* a = args->a;
    const float* b = args->b;
    const size_t lda = args->lda;
#pragma GCC unroll 4
    for (size_t k = args->k; k != 0; --k) {
      float32x4_t w[kVectors];
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) w[v] = vld1q_f32(b + 4 * v);
      load_fence();
      step<0>(sums, a, w);
      a += lda;
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
void gemm_f32_4x16c1_neon(const GemmF32Args* args) { run_tile<Tile, 4, 2>(args->m, (args->n + 7) / 8, args); }
void gemm_f32_1x32c1_neon(const GemmF32Args* args) { run_panels<Tile, 1, 4>((args->n + 7) / 8, args); }

}  // namespace qgemm
