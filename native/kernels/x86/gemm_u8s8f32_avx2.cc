// gemm_u8s8f32_{4x128, 1x32}c4_avx2: exact for every weight, without VNNI.
// Instructions: vpmaddwd on int16 (vpmaddubsw would saturate: 2 * 255 * 127 does not fit int16), vpaddd. A dword of a
// panel holds four int8 of one column: its even and odd bytes, widened to int16 by shifts, are two operands;
// activations are split the same way. Tile 4x128: four rows are split once per 512 steps of k (4 KiB, in L1) and serve
// eight groups of 16 columns. A group has 8 accumulators + 4 widened weights + 2 activations = 14 of 16 registers; per
// 4 steps of k, 32 vpmaddwd/vpaddd beside 6 instructions of widening and 10 loads. Sums of a group go on from where the
// last 512 steps left them. Panel: [k/4][32][4] int8; 16 columns are two vectors of 8 columns.
#include "kernels/kernel.h"
#include "kernels/vec/avx2.h"
//
#include "kernels/activations.inc"
#include "kernels/epilogue.inc"
#include "kernels/tile_switch.h"

namespace qgemm {
namespace {  // internal linkage: another file has a Tile too

constexpr size_t kGroupColumns = 16;
constexpr size_t kBlockK = 512;
constexpr size_t kMaxColumns = 128;

// Activations of up to four rows and kBlockK steps of k as pairs of int16: bytes 0 and 2 of each dword, and 1 and 3.
struct SplitRows {
  alignas(32) int32_t even[4][kBlockK / 4];
  alignas(32) int32_t odd[4][kBlockK / 4];
};

// `depth` is a multiple of 32.
static inline void split_row(const uint8_t* a, size_t depth, int32_t* even, int32_t* odd) {
  const __m256i low_bytes = _mm256_set1_epi16(0x00ff);
  for (size_t k = 0; k < depth; k += 32) {
    const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(a + k));
    _mm256_store_si256(reinterpret_cast<__m256i*>(even + k / 4), _mm256_and_si256(x, low_bytes));
    _mm256_store_si256(reinterpret_cast<__m256i*>(odd + k / 4), _mm256_srli_epi16(x, 8));
  }
}

// kRows rows x 16 columns: adds `steps` * 4 products to the sums at `tile`.
template <int kRows>
static inline void accumulate_group(const SplitRows& rows, const int8_t* b, size_t steps, int32_t* tile) {
  __m256i sums[kRows][2];
#pragma GCC unroll 4
  for (int i = 0; i < kRows; ++i) {
    sums[i][0] = i32_load(tile + i * kMaxColumns);
    sums[i][1] = i32_load(tile + i * kMaxColumns + 8);
  }
  for (size_t step = 0; step < steps; ++step) {
    __m256i even[2], odd[2];
#pragma GCC unroll 2
    for (int v = 0; v < 2; ++v) {
      const __m256i w = _mm256_load_si256(reinterpret_cast<const __m256i*>(b + step * 4 * kPanelColumns + 32 * v));
      even[v] = _mm256_srai_epi16(_mm256_slli_epi16(w, 8), 8);
      odd[v] = _mm256_srai_epi16(w, 8);
    }
#pragma GCC unroll 4
    for (int i = 0; i < kRows; ++i) {
      const __m256i x_even = _mm256_set1_epi32(rows.even[i][step]);
      sums[i][0] = _mm256_add_epi32(sums[i][0], _mm256_madd_epi16(x_even, even[0]));
      sums[i][1] = _mm256_add_epi32(sums[i][1], _mm256_madd_epi16(x_even, even[1]));
      const __m256i x_odd = _mm256_set1_epi32(rows.odd[i][step]);
      sums[i][0] = _mm256_add_epi32(sums[i][0], _mm256_madd_epi16(x_odd, odd[0]));
      sums[i][1] = _mm256_add_epi32(sums[i][1], _mm256_madd_epi16(x_odd, odd[1]));
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < kRows; ++i) {
    i32_store(tile + i * kMaxColumns, sums[i][0]);
    i32_store(tile + i * kMaxColumns + 8, sums[i][1]);
  }
}

template <int kRows, int kPanels>
struct Tile {
  static void run(const GemmU8S8Args* args) {
    alignas(32) int32_t tile[kRows * kMaxColumns] = {0};
    SplitRows rows;
    for (size_t k0 = 0; k0 < args->k; k0 += kBlockK) {
      const size_t depth = args->k - k0 < kBlockK ? args->k - k0 : kBlockK;
      for (int i = 0; i < kRows; ++i) split_row(args->a + i * args->lda + k0, depth, rows.even[i], rows.odd[i]);
      for (size_t column = 0; column < args->n; column += kGroupColumns) {
        const int8_t* panel = args->b + column / kPanelColumns * args->panel_stride + k0 * kPanelColumns;
        accumulate_group<kRows>(rows, panel + column % kPanelColumns * 4, depth / 4, tile + column);
      }
    }
    epilogue_u8s8(tile, kMaxColumns, args);
  }
};

// One row x kGroups groups of 16 columns, within one panel: widening the row in passing costs less than storing it.
template <int kRows, int kGroups>
struct RowTile {
  static void run(const GemmU8S8Args* args) {
    constexpr int kVectors = 2 * kGroups;
    __m256i sums[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) sums[v] = _mm256_setzero_si256();
    const __m256i low_bytes = _mm256_set1_epi16(0x00ff);
    for (size_t k = 0; k < args->k; k += 4) {
      int32_t four;
      memcpy(&four, args->a + k, sizeof four);
      const __m256i x = _mm256_set1_epi32(four);
      const __m256i x_even = _mm256_and_si256(x, low_bytes);
      const __m256i x_odd = _mm256_srli_epi16(x, 8);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        const __m256i w = _mm256_load_si256(reinterpret_cast<const __m256i*>(args->b + k * kPanelColumns + 32 * v));
        const __m256i even = _mm256_srai_epi16(_mm256_slli_epi16(w, 8), 8);
        const __m256i odd = _mm256_srai_epi16(w, 8);
        sums[v] = _mm256_add_epi32(sums[v], _mm256_madd_epi16(x_even, even));
        sums[v] = _mm256_add_epi32(sums[v], _mm256_madd_epi16(x_odd, odd));
      }
    }
    alignas(32) int32_t tile[kGroups * kGroupColumns];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) i32_store(tile + 8 * v, sums[v]);
    epilogue_u8s8(tile, kGroups * kGroupColumns, args);
  }
};

}  // namespace

void gemm_u8s8f32_4x128c4_avx2(const GemmU8S8Args* args) { run_tile<Tile, 4, 1>(args->m, 1, args); }
void gemm_u8s8f32_1x32c4_avx2(const GemmU8S8Args* args) { run_panels<RowTile, 1, 2>((args->n + 15) / 16, args); }

}  // namespace qgemm
