// Which steps of a split panel can be added up in 16 bits (gemm_u8s8f32_clamped_avx2.cc). Include after the vector
// wrapper and the epilogue.
#pragma once
#include "kernels/x86/packed_rows_avx2.h"

namespace qgemm {
namespace {  // internal linkage: each file has its own flags

// Dwords of a step, of a panel and of a whole group of rows alike, so that one offset serves both.
constexpr size_t kStepDwords = kPanelColumns;
static_assert(kGroupRows == kPanelColumns && kDepth / 4 * kStepDwords <= UINT16_MAX, "one offset serves both");

// All steps of a block, as offsets, for each two columns in an order of their own. Of the first `merged` ones each two
// can be added up.
struct PairedSteps {
  alignas(64) uint16_t steps[kPanelColumns / 2][kDepth / 4];
  uint32_t merged[kPanelColumns / 2];
};

// Four steps make two pairs in three ways. Which of the six pairs fit 16 bits, one bit each in this order, tells which
// pairing merges most: the four steps, pairs that fit first.
constexpr int kPairings[3][2][2] = {{{0, 1}, {2, 3}}, {{0, 2}, {1, 3}}, {{0, 3}, {1, 2}}};
struct BestPairs {
  uint16_t steps[64][4];
  uint8_t merged[64];
  constexpr BestPairs() : steps(), merged() {
    for (int fit = 0; fit < 64; ++fit) {
      const auto fits = [&](int pairing, int pair) { return fit >> (2 * pairing + pair) & 1; };
      int best = 0;
      for (int pairing = 1; pairing < 3; ++pairing) {
        if (fits(pairing, 0) + fits(pairing, 1) > fits(best, 0) + fits(best, 1)) best = pairing;
      }
      const int first = fits(best, 0) != 0 ? 0 : 1;
      for (int i = 0; i < 4; ++i) {
        const int step = kPairings[best][i / 2 == 0 ? first : 1 - first][i % 2];
        steps[fit][i] = static_cast<uint16_t>(step * static_cast<int>(kStepDwords));
      }
      merged[fit] = static_cast<uint8_t>(2 * (fits(best, 0) + fits(best, 1)));
    }
  }
};
constexpr BestPairs kBestPairs;

// Sums of the positive weights of each pair of k, and of the others without their sign: four bytes for each column.
static inline __m256i sums_by_sign(__m256i w) {
  const __m256i one = _mm256_set1_epi8(1), positive = _mm256_max_epi8(w, _mm256_setzero_si256());
  const __m256i sums = _mm256_maddubs_epi16(positive, one);
  return _mm256_or_si256(sums, _mm256_slli_epi16(_mm256_maddubs_epi16(_mm256_sub_epi8(positive, w), one), 8));
}

// Which pairs of four steps fit, for four times two columns: six bits in 64. Activations up to the limits'
// (pair_limits) times weights of that sum stay within 16 bits, whichever of them are 0. Sums above 255 end there, so no
// limit does.
static inline __m256i fitting_pairs(const int32_t* clamped, const __m256i* limits) {
  __m256i sums[4], fits = _mm256_setzero_si256();
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) sums[i] = sums_by_sign(i32_load(clamped + i * kPanelColumns));
#pragma GCC unroll 8
  for (int pair = 0; pair < 6; ++pair) {
    const int* steps = kPairings[pair / 2][pair % 2];
    const __m256i limit = _mm256_min_epu8(limits[steps[0]], limits[steps[1]]);
    const __m256i above = _mm256_subs_epu8(_mm256_adds_epu8(sums[steps[0]], sums[steps[1]]), limit);
    const __m256i none = _mm256_cmpeq_epi64(above, _mm256_setzero_si256());
    fits = _mm256_or_si256(fits, _mm256_and_si256(none, _mm256_set1_epi64x(1 << pair)));
  }
  return fits;
}

// Pairs up `steps` steps, a multiple of four, of clamped weights.
static QGEMM_NOINLINE void pair_steps(const int32_t* clamped, size_t steps, const int32_t* limits,
                                      PairedSteps* paired) {
  alignas(32) uint64_t fits[kDepth / 16][kPanelColumns / 2];
  for (size_t step = 0; step < steps; step += 4) {
    __m256i four_limits[4];
    for (size_t i = 0; i < 4; ++i) {
      const __m256i words = _mm256_set1_epi32(limits[step + i]);
      const __m256i bytes = _mm256_or_si256(words, _mm256_slli_epi16(words, 8));
      four_limits[i] = _mm256_min_epu8(bytes, _mm256_set1_epi8(static_cast<char>(UINT8_MAX - 1)));
    }
    for (size_t column = 0; column < kPanelColumns; column += 8) {
      _mm256_store_si256(reinterpret_cast<__m256i*>(&fits[step / 4][column / 2]),
                         fitting_pairs(clamped + step * kPanelColumns + column, four_limits));
    }
  }
  for (size_t column = 0; column < kPanelColumns / 2; ++column) {
    uint16_t *const first = paired->steps[column], *front = first, *back = first + steps - 4;
    // All four are stored at both ends, where what does not belong is written over.
    for (size_t i = 0; i < steps / 4; ++i) {
      const uint64_t fit = fits[i][column];
      uint64_t four;
      memcpy(&four, kBestPairs.steps[fit], sizeof four);
      four += 4 * kStepDwords * i * 0x0001000100010001;
      memcpy(front, &four, sizeof four);
      memcpy(back, &four, sizeof four);
      front += kBestPairs.merged[fit];
      back -= 4 - kBestPairs.merged[fit];
    }
    paired->merged[column] = static_cast<uint32_t>(front - first);
  }
}

}  // namespace
}  // namespace qgemm
