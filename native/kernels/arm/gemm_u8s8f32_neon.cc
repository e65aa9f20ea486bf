// gemm_u8s8f32_{2x16, 1x32}c4_neon: for CPUs without dot products (Armv8.0).
// Instructions: smull (8 products of int8 in int16), sadalp (adds neighbours into int32). A product of two int8 fits
// int16 and a sum of two fits int32's lanes, so every weight is exact.
// Activations are uint8: minus 128 (a flip of the top bit) they are int8, and 128 * column_sum is where sums begin.
// Panel: [k/4][32][4] int8; 16 bytes are four columns of four k. An accumulator holds 2 columns x 2 halves of four k.
// 16 steps of k at a time, so that one load and flip of a row serve four groups of weights.
//
// Tile 2x16: 16 accumulators + 4 weights + 2 activations + 1 repeated four of them + 4 products + 1 constant = 28 of 32
// registers; 2 + 16 loads, 2 flips and 8 repeats for 64 smull and 64 sadalp. (4x8 repeats 16.)
//
// Tile 1x32: 4 weights more, 1 activation less.
#include "kernels/kernel.h"
#include "kernels/arm/schedule.h"
#include "kernels/vec/neon.h"
//
#include "kernels/activations.inc"
#include "kernels/epilogue.inc"
#include "kernels/tile_switch.h"

namespace qgemm {
namespace {  // internal linkage: another file has a Tile too

static inline int16x8_t multiply_low(int8x16_t a, int8x16_t b) {
#if QGEMM_IN_ORDER
  int16x8_t products;
  __asm__ volatile("smull %0.8h, %1.8b, %2.8b" : "=w"(products) : "w"(a), "w"(b));
  return products;
#else
  return vmull_s8(vget_low_s8(a), vget_low_s8(b));
#endif
}

static inline int16x8_t multiply_high(int8x16_t a, int8x16_t b) {
#if QGEMM_IN_ORDER
  int16x8_t products;
  __asm__ volatile("smull2 %0.8h, %1.16b, %2.16b" : "=w"(products) : "w"(a), "w"(b));
  return products;
#else
  return vmull_high_s8(a, b);
#endif
}

static inline void add_pairs(int32x4_t& sum, int16x8_t products) {
#if QGEMM_IN_ORDER
  __asm__ volatile("sadalp %0.4s, %1.8h" : "+w"(sum) : "w"(products));
#else
  sum = vpadalq_s16(sum, products);
#endif
}

// kRows rows x kGroups groups of 16 columns, within one panel.
template <int kRows, int kGroups>
struct Tile {
  static constexpr int kVectors = 4 * kGroups;

  template <int kLane>
  static inline void step(int32x4_t (*sums)[2 * kVectors], const int32x4_t* x, const int8_t* b) {
    int8x16_t w[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) w[v] = vld1q_s8(b + kLane * 4 * kPanelColumns + 16 * v);
#pragma GCC unroll 4
    for (int i = 0; i < kRows; ++i) {
      const int8x16_t four = vreinterpretq_s8_s32(vdupq_laneq_s32(x[i], kLane));
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; v += 2) {
        int32x4_t* const four_sums = sums[i] + 2 * v;
        const int16x8_t p0 = multiply_low(four, w[v]), p1 = multiply_high(four, w[v]);
        const int16x8_t p2 = multiply_low(four, w[v + 1]), p3 = multiply_high(four, w[v + 1]);
        add_pairs(four_sums[0], p0);
        add_pairs(four_sums[1], p1);
        add_pairs(four_sums[2], p2);
        add_pairs(four_sums[3], p3);
      }
    }
  }

  static void run(const GemmU8S8Args* args) {
    int32x4_t sums[kRows][2 * kVectors];
#pragma GCC unroll 4
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 16
      for (int p = 0; p < 2 * kVectors; ++p) sums[i][p] = vdupq_n_s32(0);
    }
    const uint8_t* a = args->a;
    const int8_t* b = args->b;
    const size_t lda = args->lda;
    for (size_t k = args->k; k != 0; k -= 16) {
      int32x4_t x[kRows];
#pragma GCC unroll 4
      for (int i = 0; i < kRows; ++i) {
        x[i] = vreinterpretq_s32_u8(veorq_u8(vld1q_u8(a + i * lda), vdupq_n_u8(0x80)));
      }
      step<0>(sums, x, b);
      step<1>(sums, x, b);
      step<2>(sums, x, b);
      step<3>(sums, x, b);
      a += 16;
      b += 16 * kPanelColumns;
    }
    int32_t tile[kRows * kVectors * 4];
#pragma GCC unroll 4
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) {
        const int32x4_t start = vshlq_n_s32(vld1q_s32(args->b_column_sums + 4 * v), 7);
        const int32x4_t sum = vpaddq_s32(sums[i][2 * v], sums[i][2 * v + 1]);
        vst1q_s32(tile + (i * kVectors + v) * 4, vaddq_s32(start, sum));
      }
    }
    epilogue_u8s8(tile, kVectors * 4, args);
  }
};

}  // namespace

void gemm_u8s8f32_2x16c4_neon(const GemmU8S8Args* args) { run_tile<Tile, 2, 1>(args->m, 1, args); }
void gemm_u8s8f32_1x32c4_neon(const GemmU8S8Args* args) { run_panels<Tile, 1, 2>((args->n + 15) / 16, args); }

}  // namespace qgemm
