// gemm_u8s8f32_{6x16, 1x32}c4_neondot
// Instructions: sdot by element (FEAT_DotProd): four products of int8 per 32-bit lane.
// Activations are uint8: minus 128 (a flip of the top bit) they are int8, and 128 * column_sum is where sums begin.
// Tile 6x16: 24 accumulators + 4 weights + activations; 16 steps of k at a time, so that one load of a row serves four
// groups of weights: per 16 k, 6 + 16 loads for 96 sdot.
// Panel: [k/4][32][4] int8; 16 bytes are four columns.
#include "kernels/kernel.h"
#include "kernels/vec/neon.h"
//
#include "kernels/activations.inc"
#include "kernels/epilogue.inc"
#include "kernels/tile_switch.h"

namespace qgemm {
namespace {  // internal linkage: another file has a Tile too

// kRows rows x kGroups groups of 16 columns, within one panel.
template <int kRows, int kGroups>
struct Tile {
  static constexpr int kVectors = 4 * kGroups;

  template <int kLane>
  static inline void step(int32x4_t (*sums)[kVectors], const int8x16_t* x, const int8_t* b) {
    int8x16_t w[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) w[v] = vld1q_s8(b + kLane * 4 * kPanelColumns + 16 * v);
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) sums[i][v] = vdotq_laneq_s32(sums[i][v], w[v], x[i], kLane);
    }
  }

  static void run(const GemmU8S8Args* args) {
    int32x4_t sums[kRows][kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      const int32x4_t start = vshlq_n_s32(vld1q_s32(args->b_column_sums + 4 * v), 7);
#pragma GCC unroll 8
      for (int i = 0; i < kRows; ++i) sums[i][v] = start;
    }
    for (size_t k = 0; k < args->k; k += 16) {
      int8x16_t x[kRows];
#pragma GCC unroll 8
      for (int i = 0; i < kRows; ++i) {
        x[i] = vreinterpretq_s8_u8(veorq_u8(vld1q_u8(args->a + i * args->lda + k), vdupq_n_u8(0x80)));
      }
      const int8_t* b = args->b + k * kPanelColumns;
      step<0>(sums, x, b);
      step<1>(sums, x, b);
      step<2>(sums, x, b);
      step<3>(sums, x, b);
    }
    int32_t tile[kRows * kGroups * 16];
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) vst1q_s32(tile + (i * kVectors + v) * 4, sums[i][v]);
    }
    epilogue_u8s8(tile, kGroups * 16, args);
  }
};

}  // namespace

void gemm_u8s8f32_6x16c4_neondot(const GemmU8S8Args* args) { run_tile<Tile, 6, 1>(args->m, 1, args); }
void gemm_u8s8f32_1x32c4_neondot(const GemmU8S8Args* args) { run_panels<Tile, 1, 2>((args->n + 15) / 16, args); }

}  // namespace qgemm
