// gemm_u8s8f32_{6x16, 1x64}c4_avxvnni
// Instructions: vpdpbusd ymm with VEX encoding (AVX-VNNI), vpbroadcastd from memory.
// Tile 6x16: 12 accumulators + 2 weights + 1 activation = 15 of 16 registers; half a panel wide. Per 4 steps of k: 2 +
// 6 loads for 12 vpdpbusd. Tile 1x64: 8 accumulators, weights straight from memory. Panel: [k/4][32][4] int8; 16
// columns are two operands of 8 columns.
#include "kernels/kernel.h"
#include "kernels/vec/avx2.h"
#include "kernels/activations.inc"
#include "kernels/epilogue.inc"
#include "kernels/tile_switch.h"

namespace qgemm {

static inline void dot4(__m256i& sum, __m256i a, __m256i b) {
#if defined(__GNUC__) && !defined(__clang__)
  // Without {vex} the assembler may choose the EVEX form, which these CPUs lack. See also gemm_u8s8f32_avx512vnni.cc.
  __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(a), "x"(b));
#else
  sum = _mm256_dpbusd_avx_epi32(sum, a, b);
#endif
}

namespace {  // internal linkage: another file has a Tile too

// kRows rows x kGroups groups of 16 columns.
template <int kRows, int kGroups>
struct Tile {
  static void run(const GemmU8S8Args* args) {
    constexpr int kVectors = 2 * kGroups;
    __m256i sums[kRows][kVectors];
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) sums[i][v] = _mm256_setzero_si256();
    }
    const size_t lda = args->lda;
    const uint8_t* a = args->a;
    const int8_t* b = args->b;
    for (size_t k = 0; k < args->k; k += 4) {
      const int8_t* step = b + k * kPanelColumns;
      if constexpr (kRows == 1) {
        int32_t four;
        memcpy(&four, a + k, sizeof four);
        const __m256i x = _mm256_set1_epi32(four);
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) {
          const int8_t* w = step + (v / 4) * args->panel_stride + (v % 4) * 32;
          dot4(sums[0][v], x, _mm256_load_si256(reinterpret_cast<const __m256i*>(w)));
        }
      } else {
        __m256i w[kVectors];
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) {
          w[v] = _mm256_load_si256(reinterpret_cast<const __m256i*>(step + v * 32));
        }
#pragma GCC unroll 8
        for (int i = 0; i < kRows; ++i) {
          int32_t four;
          memcpy(&four, a + i * lda + k, sizeof four);
          const __m256i x = _mm256_set1_epi32(four);
#pragma GCC unroll 8
          for (int v = 0; v < kVectors; ++v) dot4(sums[i][v], x, w[v]);
        }
      }
    }
    alignas(32) int32_t tile[kRows * kGroups * 16];
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) i32_store(tile + (i * kVectors + v) * 8, sums[i][v]);
    }
    epilogue_u8s8(tile, kGroups * 16, args);
  }
};

}  // namespace

void gemm_u8s8f32_6x16c4_avxvnni(const GemmU8S8Args* args) { run_tile<Tile, 6, 1>(args->m, 1, args); }
void gemm_u8s8f32_1x64c4_avxvnni(const GemmU8S8Args* args) { run_panels<Tile, 1, 4>((args->n + 15) / 16, args); }

}  // namespace qgemm
