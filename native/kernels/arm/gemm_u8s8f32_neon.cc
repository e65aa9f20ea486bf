// gemm_u8s8f32_{4x8, 1x16}c4_neon: for CPUs without dot products (Armv8.0).
// Instructions: smull (8 products of int8 in int16), sadalp (adds neighbours into int32). A product of two int8 fits
// int16 and a sum of two fits int32's lanes, so every weight is exact.
// Activations are uint8: minus 128 (a flip of the top bit) they are int8, and 128 * column_sum is where sums begin.
// Tile 4x8: an accumulator holds 2 columns x 2 halves of four k; 16 accumulators + 4 weights + 1 activation + products.
// Panel: [k/4][32][4] int8; 8 bytes are two columns of four k.
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
  static void run(const GemmU8S8Args* args) {
    constexpr int kPairs = 4 * kGroups;
    int32x4_t sums[kRows][kPairs];
#pragma GCC unroll 4
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
      for (int p = 0; p < kPairs; ++p) sums[i][p] = vdupq_n_s32(0);
    }
    const uint8_t* a = args->a;
    const size_t lda = args->lda;
    for (size_t k = 0; k < args->k; k += 4) {
      int8x8_t w[kPairs];
#pragma GCC unroll 8
      for (int p = 0; p < kPairs; ++p) w[p] = vld1_s8(args->b + k * kPanelColumns + 8 * p);
#pragma GCC unroll 4
      for (int i = 0; i < kRows; ++i) {
        uint32_t four;
        memcpy(&four, a + i * lda + k, sizeof four);
        const int8x8_t x = vreinterpret_s8_u32(vdup_n_u32(four ^ 0x80808080u));
#pragma GCC unroll 8
        for (int p = 0; p < kPairs; ++p) sums[i][p] = vpadalq_s16(sums[i][p], vmull_s8(x, w[p]));
      }
    }
    int32_t tile[kRows * kGroups * 8];
#pragma GCC unroll 4
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
      for (int p = 0; p < kPairs; p += 2) {
        const int32x4_t start = vshlq_n_s32(vld1q_s32(args->b_column_sums + 2 * p), 7);
        vst1q_s32(tile + i * kGroups * 8 + 2 * p, vaddq_s32(start, vpaddq_s32(sums[i][p], sums[i][p + 1])));
      }
    }
    epilogue_u8s8(tile, kGroups * 8, args);
  }
};

}  // namespace

void gemm_u8s8f32_4x8c4_neon(const GemmU8S8Args* args) { run_tile<Tile, 4, 1>(args->m, 1, args); }
void gemm_u8s8f32_1x16c4_neon(const GemmU8S8Args* args) { run_panels<Tile, 1, 2>((args->n + 7) / 8, args); }

}  // namespace qgemm
