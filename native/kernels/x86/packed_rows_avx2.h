// Rows of activations as the AVX2 kernel for many rows reads them (gemm_u8s8f32_clamped_avx2.cc), and what they allow
// the weights. Include after the vector wrapper.
#pragma once
#include "kernels/kernel.h"
#include "kernels/rows_of.h"

namespace qgemm {
namespace {  // internal linkage: each file has its own flags

constexpr size_t kRows = 512;      // at a time
constexpr size_t kGroupRows = 32;  // of a register tile
constexpr size_t kDepth = 384;     // steps of k, at a time

// Some rows as the loop reads them, and their sums with one panel: views of args->scratch.
struct PackedRows {
  size_t count, padded;  // to whole vectors
  size_t ld;             // of sums
  int32_t* steps;        // per kDepth steps of k, per group of V * 8 rows: [step][V * 8]
  int32_t* limits;       // [k / 4]: two int16 each, see pair_limits
  int32_t* sums;         // [32][ld]
};

// 8 rows x 32 bytes become 8 steps of 8 dwords, `ld` dwords apart.
static inline void transpose_rows(const uint8_t* const* rows, size_t k, int32_t* out, size_t ld) {
#pragma GCC unroll 2
  for (size_t half = 0; half < 2; ++half) {
    __m256i r[4];
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; ++i) {
      const __m128i upper = load_words(rows[i + 4] + k + 16 * half);
      r[i] = _mm256_inserti128_si256(_mm256_castsi128_si256(load_words(rows[i] + k + 16 * half)), upper, 1);
    }
    const __m256i low01 = _mm256_unpacklo_epi32(r[0], r[1]), high01 = _mm256_unpackhi_epi32(r[0], r[1]);
    const __m256i low23 = _mm256_unpacklo_epi32(r[2], r[3]), high23 = _mm256_unpackhi_epi32(r[2], r[3]);
    int32_t* steps = out + 4 * half * ld;
    i32_store(steps, _mm256_unpacklo_epi64(low01, low23));
    i32_store(steps + ld, _mm256_unpackhi_epi64(low01, low23));
    i32_store(steps + 2 * ld, _mm256_unpacklo_epi64(high01, high23));
    i32_store(steps + 3 * ld, _mm256_unpackhi_epi64(high01, high23));
  }
}

// `vectors` * 8 rows from `row` on; those beyond the last are copies of it. Also takes the largest code of each k into
// `largest`, four bytes to a step.
static inline void pack_rows(const GemmU8S8Args* args, size_t row, size_t vectors, size_t k0, size_t depth,
                             int32_t* out, int32_t* largest) {
  const size_t ld = 8 * vectors;
  for (size_t v = 0; v < vectors; ++v) {
    const uint8_t* rows[8];
    for (size_t i = 0; i < 8; ++i) {
      const size_t at = row + 8 * v + i;
      rows[i] = args->a + (at < args->m ? at : args->m - 1) * args->lda + k0;
    }
    for (size_t k = 0; k < depth; k += 32) {
      transpose_rows(rows, k, out + k / 4 * ld + 8 * v, ld);
      __m256i most = i32_load(largest + k / 4);
      for (size_t i = 0; i < 8; ++i) {
        most = _mm256_max_epu8(most, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(rows[i] + k)));
      }
      i32_store(largest + k / 4, most);
    }
  }
}

// floor(32767 / a) for codes above 128, else 255: two weights of one sign may have a sum of this size.
struct PairLimits {
  uint8_t of[256];
  constexpr PairLimits() : of() {
    for (int a = 0; a < 256; ++a) of[a] = static_cast<uint8_t>(32767 / (a > 128 ? a : 129) + (a > 128 ? 0 : 1));
  }
};
constexpr PairLimits kPairLimits;

// The largest codes of four k become the limits of their two pairs.
static inline void pair_limits(int32_t* limits, size_t steps) {
  for (size_t i = 0; i < steps; ++i) {
    const uint32_t codes = static_cast<uint32_t>(limits[i]);
    const uint32_t a0 = codes & 0xff, a1 = codes >> 8 & 0xff, a2 = codes >> 16 & 0xff, a3 = codes >> 24;
    const uint32_t low = kPairLimits.of[a0 > a1 ? a0 : a1], high = kPairLimits.of[a2 > a3 ? a2 : a3];
    limits[i] = static_cast<int32_t>(low | high << 16);
  }
}

static inline size_t vectors_of_group(size_t rows_left) {
  return rows_left >= kGroupRows ? kGroupRows / 8 : (rows_left + 7) / 8;
}

// How many rows fit args->scratch, in whole groups.
static inline size_t most_rows(const GemmU8S8Args* args) {
  const size_t each = args->k + kPanelColumns * sizeof(int32_t), others = args->k + 1024 * sizeof(int32_t);
  if (args->scratch == nullptr || others > kGemmScratchBytes) return 0;
  return smaller((kGemmScratchBytes - others) / each / kGroupRows * kGroupRows, kRows);
}

static inline PackedRows pack_block(const GemmU8S8Args* args) {
  PackedRows packed = {};
  packed.count = args->m;
  packed.padded = (args->m + 7) / 8 * 8;
  packed.ld = packed.padded + 16;  // a power of two would put all columns into the same cache sets
  packed.sums = static_cast<int32_t*>(args->scratch);
  packed.limits = packed.sums + kPanelColumns * packed.ld;
  packed.steps = packed.limits + args->k / 4;
  memset(packed.limits, 0, args->k);
  for (size_t k0 = 0; k0 < args->k; k0 += kDepth) {
    const size_t depth = smaller(args->k - k0, kDepth);
    int32_t* steps = packed.steps + k0 / 4 * packed.padded;
    for (size_t row = 0; row < args->m; row += kGroupRows) {
      pack_rows(args, row, vectors_of_group(args->m - row), k0, depth, steps + row * depth / 4, packed.limits + k0 / 4);
    }
  }
  pair_limits(packed.limits, args->k / 4);
  return packed;
}

}  // namespace
}  // namespace qgemm
