// gemm_u8s8f32_{4x16, 1x32}c4_avx2: exact for every weight, without VNNI.
// Instructions: vpmaddwd on int16 (vpmaddubsw would saturate: 2 * 255 * 127 does not fit int16), vpaddd. A dword of a
// panel holds four int8 of one column: its even and odd bytes, widened to int16 by shifts, are two operands; the same
// split of a broadcast dword of activations is one mask and one shift.
// Tile 4x16: 8 accumulators + 4 widened weights + 2 activations + 1 mask = 15 of 16 registers; half a panel wide. Per 4
// steps of k: 32 vpmaddwd/vpaddd beside 14 instructions of widening.
// Panel: [k/4][32][4] int8; 16 columns are two vectors of 8 columns.
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
  static void run(const GemmU8S8Args* args) {
    constexpr int kVectors = 2 * kGroups;
    __m256i sums[kRows][kVectors];
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) sums[i][v] = _mm256_setzero_si256();
    }
    const __m256i even_bytes = _mm256_set1_epi16(0x00ff);
    const size_t lda = args->lda;
    const uint8_t* a = args->a;
    const int8_t* b = args->b;
    for (size_t k = 0; k < args->k; k += 4) {
      __m256i even[kVectors], odd[kVectors];
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) {
        const __m256i w = _mm256_load_si256(reinterpret_cast<const __m256i*>(b + k * kPanelColumns + v * 32));
        even[v] = _mm256_srai_epi16(_mm256_slli_epi16(w, 8), 8);
        odd[v] = _mm256_srai_epi16(w, 8);
      }
#pragma GCC unroll 8
      for (int i = 0; i < kRows; ++i) {
        int32_t four;
        memcpy(&four, a + i * lda + k, sizeof four);
        const __m256i x = _mm256_set1_epi32(four);
        const __m256i x_even = _mm256_and_si256(x, even_bytes);
        const __m256i x_odd = _mm256_srli_epi16(x, 8);
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) {
          sums[i][v] = _mm256_add_epi32(sums[i][v], _mm256_madd_epi16(x_even, even[v]));
          sums[i][v] = _mm256_add_epi32(sums[i][v], _mm256_madd_epi16(x_odd, odd[v]));
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

void gemm_u8s8f32_4x16c4_avx2(const GemmU8S8Args* args) { run_tile<Tile, 4, 1>(args->m, 1, args); }
void gemm_u8s8f32_1x32c4_avx2(const GemmU8S8Args* args) { run_panels<Tile, 1, 2>((args->n + 15) / 16, args); }

}  // namespace qgemm
