// gemm_u8s8f32_{24x128, 1x32}c4_avx2: few rows, exact for every weight, without VNNI.
// Instructions: vpmaddubsw on the nibbles of the activations. 255 * 127 * 2 does not fit int16, where vpmaddubsw
// saturates; 15 * 128 * 2 does, and so do eight such sums: 16 bits are widened (vpmaddwd by 16 or 1, vpaddd) once per
// 32 steps of k. 2.125 vpmaddubsw/vpmaddwd and 2.125 additions per 32 multiply-adds, and weights are operands as they
// lie in the panel: vpmaddwd on int16 would widen them first, which few rows cannot pay for. Tile 24x128: the rows'
// nibbles are split once per 512 steps of k (24 KiB); groups of 16 columns meet two rows at a time: 8 sums of 16 bits,
// 4 of 32, 2 weights, 1 activation, 1 product: all 16 registers. While the first rows meet a group, the next one is
// fetched. One row: 4 vectors of one panel. Panel: [k/4][32][4] int8; a vector is 8 columns.
#include "kernels/kernel.h"
#include "kernels/vec/avx2.h"
//
#include "kernels/activations.inc"
#include "kernels/epilogue.inc"

namespace qgemm {
namespace {  // internal linkage: other files have functions of these names too

constexpr size_t kGroupColumns = 16;
constexpr size_t kStepBytes = 4 * kPanelColumns;  // of a panel, per four k
constexpr size_t kSteps16 = 8;                    // steps of four k that 16 bits can hold: 8 * 2 * 15 * 128 < 2^15

// Nibbles of kRows rows and kDepth steps of k, one byte each, four to a dword.
template <size_t kRows, size_t kDepth>
struct Nibbles {
  alignas(32) int32_t high[kRows][kDepth / 4];
  alignas(32) int32_t low[kRows][kDepth / 4];
};

// `depth` is a multiple of 32.
static inline void split_row(const uint8_t* a, size_t depth, int32_t* high, int32_t* low) {
  const __m256i nibble = _mm256_set1_epi8(15);
  for (size_t k = 0; k < depth; k += 32) {
    const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(a + k));
    i32_store(low + k / 4, _mm256_and_si256(x, nibble));
    i32_store(high + k / 4, _mm256_and_si256(_mm256_srli_epi16(x, 4), nibble));
  }
}

// sum += a . w in 16 bits. The empty statement keeps gcc from adding all products of a chain at its end, which costs
// a register for each.
static inline void add_products(__m256i* sum, __m256i a, __m256i w) {
  *sum = _mm256_add_epi16(*sum, _mm256_maddubs_epi16(a, w));
#if defined(__GNUC__)
  __asm__("" : "+x"(*sum));
#endif
}

// kRows rows x 8 * kVectors columns: adds the products of `steps` * 4 (a multiple of 32) to the sums at `tile`. Rows of
// nibbles are `ld` dwords apart. What lies at `next` in the same order is fetched; null: nothing.
template <int kRows, int kVectors>
static inline void accumulate(const int32_t* high, const int32_t* low, size_t ld, const int8_t* b, size_t steps,
                              int32_t* tile, size_t ld_tile, const int8_t* next) {
  const __m256i one = _mm256_set1_epi16(1), sixteen = _mm256_set1_epi16(16);
  __m256i sums[kRows][kVectors];
#pragma GCC unroll 4
  for (int i = 0; i < kRows * kVectors; ++i) {
    sums[i / kVectors][i % kVectors] = i32_load(tile + i / kVectors * ld_tile + i % kVectors * 8);
  }
  for (size_t step = 0; step < steps; step += kSteps16) {
    if (next != nullptr) {
#pragma GCC unroll 8
      for (size_t s = 0; s < kSteps16; ++s) prefetch_l2(next + (step + s) * kStepBytes);
    }
    __m256i high_sums[kRows][kVectors], low_sums[kRows][kVectors];
#pragma GCC unroll 4
    for (int i = 0; i < kRows * kVectors; ++i) {
      high_sums[i / kVectors][i % kVectors] = low_sums[i / kVectors][i % kVectors] = _mm256_setzero_si256();
    }
#pragma GCC unroll 8
    for (size_t s = step; s < step + kSteps16; ++s) {
      __m256i w[kVectors];
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        w[v] = _mm256_load_si256(reinterpret_cast<const __m256i*>(b + s * kStepBytes + 32 * v));
      }
#pragma GCC unroll 2
      for (int i = 0; i < kRows; ++i) {
        const __m256i x_high = _mm256_set1_epi32(high[i * ld + s]);
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) add_products(&high_sums[i][v], x_high, w[v]);
        const __m256i x_low = _mm256_set1_epi32(low[i * ld + s]);
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) add_products(&low_sums[i][v], x_low, w[v]);
      }
    }
#pragma GCC unroll 2
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        const __m256i upper = _mm256_madd_epi16(high_sums[i][v], sixteen);
        sums[i][v] = i32_add(sums[i][v], i32_add(upper, _mm256_madd_epi16(low_sums[i][v], one)));
      }
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < kRows * kVectors; ++i) {
    i32_store(tile + i / kVectors * ld_tile + i % kVectors * 8, sums[i / kVectors][i % kVectors]);
  }
}

}  // namespace

void gemm_u8s8f32_24x128c4_avx2(const GemmU8S8Args* args) {
  constexpr size_t kRows = 24, kColumns = 128, kDepth = 512, kLd = kDepth / 4;
  alignas(32) int32_t tile[kRows * kColumns];
  memset(tile, 0, args->m * kColumns * sizeof *tile);
  Nibbles<kRows, kDepth> nibbles;
  for (size_t k0 = 0; k0 < args->k; k0 += kDepth) {
    const size_t depth = args->k - k0 < kDepth ? args->k - k0 : kDepth;
    for (size_t i = 0; i < args->m; ++i) {
      split_row(args->a + i * args->lda + k0, depth, nibbles.high[i], nibbles.low[i]);
    }
    const int8_t* b = args->b + k0 * kPanelColumns;
    for (size_t column = 0; column < args->n; column += kGroupColumns) {
      // Groups are the two halves of a panel, one panel after the other. Fetching beyond the last one is harmless.
      const int8_t* first_half = b + column / kPanelColumns * args->panel_stride;
      const bool second = column % kPanelColumns != 0;
      const int8_t* group = first_half + (second ? kGroupColumns * 4 : 0);
      const int8_t* next = second ? first_half + args->panel_stride : first_half + kGroupColumns * 4;
      size_t i = 0;
      for (; i + 2 <= args->m; i += 2) {
        accumulate<2, 2>(nibbles.high[i], nibbles.low[i], kLd, group, depth / 4, tile + i * kColumns + column, kColumns,
                         i == 0 ? next : nullptr);
      }
      if (i < args->m) {
        accumulate<1, 2>(nibbles.high[i], nibbles.low[i], kLd, group, depth / 4, tile + i * kColumns + column, kColumns,
                         nullptr);
      }
    }
  }
  epilogue_u8s8(tile, kColumns, args);
}

void gemm_u8s8f32_1x32c4_avx2(const GemmU8S8Args* args) {
  constexpr size_t kDepth = 4096;
  alignas(32) int32_t tile[kPanelColumns] = {0};
  Nibbles<1, kDepth> nibbles;
  for (size_t k0 = 0; k0 < args->k; k0 += kDepth) {
    const size_t depth = args->k - k0 < kDepth ? args->k - k0 : kDepth;
    split_row(args->a + k0, depth, nibbles.high[0], nibbles.low[0]);
    const int8_t* b = args->b + k0 * kPanelColumns;
    if (args->n > kGroupColumns) {
      accumulate<1, 4>(nibbles.high[0], nibbles.low[0], 0, b, depth / 4, tile, 0, nullptr);
    } else {
      accumulate<1, 2>(nibbles.high[0], nibbles.low[0], 0, b, depth / 4, tile, 0, nullptr);
    }
  }
  epilogue_u8s8(tile, kPanelColumns, args);
}

}  // namespace qgemm
