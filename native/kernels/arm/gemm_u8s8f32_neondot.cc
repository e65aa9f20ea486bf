// gemm_u8s8f32_{4x16, 1x32}c4_neondot
// Instructions: sdot by element (FEAT_DotProd): four products of int8 per 32-bit lane.
// Activations are uint8: minus 128 (a flip of the top bit) they are int8, and 128 * column_sum is where sums begin.
// Panel: [k/4][32][4] int8; 16 bytes are four columns. 16 steps of k at a time, so that one load and flip of a row
// serve four groups of weights.
//
// Tile 4x16: 16 accumulators + 4 weights + 4 activations + 1 constant = 25 of 32 registers; 4 + 16 loads and 4 flips
// for 64 sdot. 6x16 would take all 32 and do 3 % fewer instructions, but rows come by 4 more often than by 6.
//
// Tile 1x32: 8 accumulators; the 8 weights of a panel's row are loaded at once.
#include "kernels/kernel.h"
#include "kernels/arm/schedule.h"
#include "kernels/vec/neon.h"
//
#include "kernels/activations.inc"
#include "kernels/epilogue.inc"
#include "kernels/tile_switch.h"

namespace qgemm {
namespace {  // internal linkage: another file has a Tile too

// Four columns of weights times one of the four groups of k in x.
template <int kLane>
static inline void dot4(int32x4_t& sum, int8x16_t w, int8x16_t x) {
#if QGEMM_IN_ORDER
  __asm__ volatile("sdot %0.4s, %1.16b, %2.4b[%3]" : "+w"(sum) : "w"(w), "w"(x), "i"(kLane));
#else
  sum = vdotq_laneq_s32(sum, w, x, kLane);
#endif
}

// kRows rows x kGroups groups of 16 columns, within one panel.
template <int kRows, int kGroups>
struct Tile {
  static constexpr int kVectors = 4 * kGroups;

  template <int kLane>
  static inline void step(int32x4_t (*sums)[kVectors], const int8x16_t* x, const int8_t* b) {
    int8x16_t w[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) w[v] = vld1q_s8(b + kLane * 4 * kPanelColumns + 16 * v);
    load_fence();
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) dot4<kLane>(sums[i][v], w[v], x[i]);
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
    const uint8_t* a = args->a;
    const int8_t* b = args->b;
    const size_t lda = args->lda;
    for (size_t k = args->k; k != 0; k -= 16) {
      int8x16_t x[kRows];
#pragma GCC unroll 8
      for (int i = 0; i < kRows; ++i) {
        x[i] = vreinterpretq_s8_u8(veorq_u8(vld1q_u8(a + i * lda), vdupq_n_u8(0x80)));
      }
      step<0>(sums, x, b);
      step<1>(sums, x, b);
      step<2>(sums, x, b);
      step<3>(sums, x, b);
      a += 16;
      b += 16 * kPanelColumns;
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

void gemm_u8s8f32_4x16c4_neondot(const GemmU8S8Args* args) { run_tile<Tile, 4, 1>(args->m, 1, args); }
void gemm_u8s8f32_1x32c4_neondot(const GemmU8S8Args* args) { run_panels<Tile, 1, 2>((args->n + 15) / 16, args); }

}  // namespace qgemm
