// gemm_u8s8f32_{12x8c8, 4x16c8, 1x32c4}_neoni8mm
// Instructions: usmmla (FEAT_I8MM): a 2x8 block of uint8 times an 8x2 block of int8 into 2x2 int32.
// Panel: [k/4][32][4] int8; a zip of two panel rows by 32-bit lanes gives columns of eight k. Per 8 steps of k a pair
// of rows costs one instruction to join its halves, and four columns cost two zips: larger tiles, fewer of both.
//
// Tile 12x8: 24 accumulators of 2 rows x 2 columns + 4 weights + 2 activations = 30 of 32 registers; 4 + 12 loads, 4
// zips and 6 joins for 24 usmmla (8x8 would need 8 for 16).
//
// Tile 4x16, for few rows: 16 accumulators + 8 weights + 2 activations; 8 + 4 loads, 8 zips, 2 joins for 16 usmmla.
//
// Tile 1x32: sudot by element, the same products for one row; 8 accumulators, 32 loads of weights and 1 of activations
// for 32 sudot per 16 steps of k.
#include "kernels/kernel.h"
#include "kernels/arm/schedule.h"
#include "kernels/vec/neon.h"
//
#include "kernels/activations.inc"
#include "kernels/epilogue.inc"
#include "kernels/tile_switch.h"

namespace qgemm {
namespace {  // internal linkage: another file has a Tile too

// 2 rows x 8 k of activations times 8 k x 2 columns of weights.
static inline void multiply_2x2(int32x4_t& sum, uint8x16_t x, int8x16_t w) {
#if QGEMM_IN_ORDER
  __asm__ volatile("usmmla %0.4s, %1.16b, %2.16b" : "+w"(sum) : "w"(x), "w"(w));
#else
  sum = vusmmlaq_s32(sum, x, w);
#endif
}

// Four columns of weights times one of the four groups of k in x.
template <int kLane>
static inline void dot4(int32x4_t& sum, int8x16_t w, uint8x16_t x) {
#if QGEMM_IN_ORDER
  __asm__ volatile("sudot %0.4s, %1.16b, %2.4b[%3]" : "+w"(sum) : "w"(w), "w"(x), "i"(kLane));
#else
  sum = vsudotq_laneq_s32(sum, w, x, kLane);
#endif
}

static inline int8x16_t zip_low(int8x16_t a, int8x16_t b) {
  return vreinterpretq_s8_s32(vzip1q_s32(vreinterpretq_s32_s8(a), vreinterpretq_s32_s8(b)));
}
static inline int8x16_t zip_high(int8x16_t a, int8x16_t b) {
  return vreinterpretq_s8_s32(vzip2q_s32(vreinterpretq_s32_s8(a), vreinterpretq_s32_s8(b)));
}

// kRows rows (an odd last one is doubled: its sums are not stored) x kGroups groups of 8 columns, within one panel.
template <int kRows, int kGroups>
struct Tile {
  static void run(const GemmU8S8Args* args) {
    constexpr int kRowPairs = (kRows + 1) / 2, kVectors = 2 * kGroups, kColumnPairs = 2 * kVectors;
    int32x4_t sums[kRowPairs][kColumnPairs];
#pragma GCC unroll 8
    for (int i = 0; i < kRowPairs; ++i) {
#pragma GCC unroll 8
      for (int p = 0; p < kColumnPairs; ++p) sums[i][p] = vdupq_n_s32(0);
    }
    const uint8_t* a = args->a;
    const int8_t* b = args->b;
    const size_t lda = args->lda;
    for (size_t k = args->k; k != 0; k -= 8) {
      int8x16_t w[kColumnPairs];
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        const int8x16_t low = vld1q_s8(b + 16 * v), high = vld1q_s8(b + 4 * kPanelColumns + 16 * v);
        w[2 * v] = zip_low(low, high);
        w[2 * v + 1] = zip_high(low, high);
      }
#pragma GCC unroll 8
      for (int i = 0; i < kRowPairs; ++i) {
        const int second = 2 * i + 1 < kRows ? 2 * i + 1 : 2 * i;
        const uint8x16_t x = vcombine_u8(vld1_u8(a + 2 * i * lda), vld1_u8(a + second * lda));
#pragma GCC unroll 8
        for (int p = 0; p < kColumnPairs; ++p) multiply_2x2(sums[i][p], x, w[p]);
      }
      a += 8;
      b += 8 * kPanelColumns;
    }
    int32_t tile[2 * kRowPairs * kGroups * 8];
#pragma GCC unroll 8
    for (int i = 0; i < kRowPairs; ++i) {
#pragma GCC unroll 8
      for (int p = 0; p < kColumnPairs; ++p) {
        vst1_s32(tile + 2 * i * kGroups * 8 + 2 * p, vget_low_s32(sums[i][p]));
        vst1_s32(tile + (2 * i + 1) * kGroups * 8 + 2 * p, vget_high_s32(sums[i][p]));
      }
    }
    epilogue_u8s8(tile, kGroups * 8, args);
  }
};

// One row x kGroups groups of 16 columns, within one panel.
template <int kRows, int kGroups>
struct RowTile {
  static constexpr int kVectors = 4 * kGroups;

  template <int kLane>
  static inline void step(int32x4_t* sums, uint8x16_t x, const int8_t* b) {
    int8x16_t w[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) w[v] = vld1q_s8(b + kLane * 4 * kPanelColumns + 16 * v);
    load_fence();
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) dot4<kLane>(sums[v], w[v], x);
  }

  static void run(const GemmU8S8Args* args) {
    int32x4_t sums[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) sums[v] = vdupq_n_s32(0);
    const uint8_t* a = args->a;
    const int8_t* b = args->b;
    for (size_t k = args->k; k != 0; k -= 16) {
      const uint8x16_t x = vld1q_u8(a);
      step<0>(sums, x, b);
      step<1>(sums, x, b);
      step<2>(sums, x, b);
      step<3>(sums, x, b);
      a += 16;
      b += 16 * kPanelColumns;
    }
    int32_t tile[kVectors * 4];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) vst1q_s32(tile + 4 * v, sums[v]);
    epilogue_u8s8(tile, kVectors * 4, args);
  }
};

}  // namespace

void gemm_u8s8f32_12x8c8_neoni8mm(const GemmU8S8Args* args) { run_tile<Tile, 12, 1>(args->m, 1, args); }
void gemm_u8s8f32_4x16c8_neoni8mm(const GemmU8S8Args* args) { run_tile<Tile, 4, 2>(args->m, (args->n + 7) / 8, args); }
void gemm_u8s8f32_1x32c4_neoni8mm(const GemmU8S8Args* args) { run_panels<RowTile, 1, 2>((args->n + 15) / 16, args); }

}  // namespace qgemm
