// gemm_u8s8f32_{8x8c8, 1x32c4}_neoni8mm
// Instructions: usmmla (FEAT_I8MM): a 2x8 block of uint8 times an 8x2 block of int8 into 2x2 int32.
// Tile 8x8: 16 accumulators of 2 rows x 2 columns, 4 weights, 4 activations = 24 of 32 registers. Per 8 steps of k: 4
// loads and 4 zips of weights, 4 pairs of half loads of activations, 16 usmmla.
// Tile 1x32: sudot by element, the same products for one row; 8 accumulators, 32 loads of weights and 1 of activations
// for 32 sudot per 16 steps of k.
// Panel: [k/4][32][4] int8; a zip of two panel rows by 32-bit lanes gives columns of eight k.
#include "kernels/kernel.h"
#include "kernels/vec/neon.h"
//
#include "kernels/activations.inc"
#include "kernels/epilogue.inc"
#include "kernels/tile_switch.h"

namespace qgemm {
namespace {  // internal linkage: another file has a Tile too

static inline int8x16_t zip_low(int8x16_t a, int8x16_t b) {
  return vreinterpretq_s8_s32(vzip1q_s32(vreinterpretq_s32_s8(a), vreinterpretq_s32_s8(b)));
}
static inline int8x16_t zip_high(int8x16_t a, int8x16_t b) {
  return vreinterpretq_s8_s32(vzip2q_s32(vreinterpretq_s32_s8(a), vreinterpretq_s32_s8(b)));
}

// kRows rows (an odd last one is doubled: its sums are not stored) x 8 columns.
template <int kRows, int kGroups>
struct Tile {
  static void run(const GemmU8S8Args* args) {
    constexpr int kRowPairs = (kRows + 1) / 2;
    int32x4_t sums[kRowPairs][4];
#pragma GCC unroll 4
    for (int i = 0; i < kRowPairs; ++i) {
#pragma GCC unroll 4
      for (int p = 0; p < 4; ++p) sums[i][p] = vdupq_n_s32(0);
    }
    const uint8_t* a = args->a;
    const size_t lda = args->lda;
    for (size_t k = 0; k < args->k; k += 8) {
      const int8_t* b = args->b + k * kPanelColumns;
      int8x16_t w[4];
#pragma GCC unroll 2
      for (int half = 0; half < 2; ++half) {
        const int8x16_t low = vld1q_s8(b + 16 * half), high = vld1q_s8(b + 4 * kPanelColumns + 16 * half);
        w[2 * half] = zip_low(low, high);
        w[2 * half + 1] = zip_high(low, high);
      }
#pragma GCC unroll 4
      for (int i = 0; i < kRowPairs; ++i) {
        const int second = 2 * i + 1 < kRows ? 2 * i + 1 : 2 * i;
        const uint8x16_t x = vcombine_u8(vld1_u8(a + 2 * i * lda + k), vld1_u8(a + second * lda + k));
#pragma GCC unroll 4
        for (int p = 0; p < 4; ++p) sums[i][p] = vusmmlaq_s32(sums[i][p], x, w[p]);
      }
    }
    int32_t tile[2 * kRowPairs * 8];
#pragma GCC unroll 4
    for (int i = 0; i < kRowPairs; ++i) {
#pragma GCC unroll 4
      for (int p = 0; p < 4; ++p) {
        vst1_s32(tile + 2 * i * 8 + 2 * p, vget_low_s32(sums[i][p]));
        vst1_s32(tile + (2 * i + 1) * 8 + 2 * p, vget_high_s32(sums[i][p]));
      }
    }
    epilogue_u8s8(tile, 8, args);
  }
};

// One row x kGroups groups of 16 columns, within one panel.
template <int kRows, int kGroups>
struct RowTile {
  static constexpr int kVectors = 4 * kGroups;

  template <int kLane>
  static inline void step(int32x4_t* sums, uint8x16_t x, const int8_t* b) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      sums[v] = vsudotq_laneq_s32(sums[v], vld1q_s8(b + kLane * 4 * kPanelColumns + 16 * v), x, kLane);
    }
  }

  static void run(const GemmU8S8Args* args) {
    int32x4_t sums[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) sums[v] = vdupq_n_s32(0);
    for (size_t k = 0; k < args->k; k += 16) {
      const uint8x16_t x = vld1q_u8(args->a + k);
      const int8_t* b = args->b + k * kPanelColumns;
      step<0>(sums, x, b);
      step<1>(sums, x, b);
      step<2>(sums, x, b);
      step<3>(sums, x, b);
    }
    int32_t tile[kVectors * 4];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) vst1q_s32(tile + 4 * v, sums[v]);
    epilogue_u8s8(tile, kVectors * 4, args);
  }
};

}  // namespace

void gemm_u8s8f32_1x32c4_neoni8mm(const GemmU8S8Args* args) { run_panels<RowTile, 1, 2>((args->n + 15) / 16, args); }
void gemm_u8s8f32_8x8c8_neoni8mm(const GemmU8S8Args* args) { run_tile<Tile, 8, 1>(args->m, 1, args); }

}  // namespace qgemm
