// Panels of weights split so that no pair of products leaves 16 bits (gemm_u8s8f32_clamped_avx2.cc). Include after the
// vector wrapper.
#pragma once
#include "kernels/bits.h"
#include "kernels/x86/packed_rows_avx2.h"

namespace qgemm {
namespace {  // internal linkage: each file has its own flags

constexpr size_t kMaxSteps = kDepth / 4;
constexpr size_t kStepBytes = 4 * kPanelColumns;
// Activations up to 255 times weights of this sum stay within 16 bits.
constexpr int32_t kMergedWeights = 128;

// A step of one column: four weights, and which activations they meet.
struct Extra {
  int32_t weights;
  uint32_t step;
};

// Up to kDepth steps of a panel.
struct SplitPanel {
  alignas(64) int32_t clamped[kMaxSteps * kPanelColumns];
  alignas(64) Extra extras[kPanelColumns][kMaxSteps + 1];
  uint32_t extra_counts[kPanelColumns];
  uint32_t merged_counts[kPanelColumns];  // so many of them are added up in 16 bits first
};

// Clamps one step of a panel, and adds the size of what is too much to `totals`, two int16 for each column. One bit for
// each column where that is not 0, which are few.
static inline uint32_t clamp_step(const int8_t* b, int32_t limits, int32_t* clamped, __m256i* totals) {
  const __m256i one = _mm256_set1_epi8(1), zero = _mm256_setzero_si256();
  const __m256i most = _mm256_set1_epi32(limits), least = _mm256_sub_epi16(zero, most);
  __m256i none[4];
#pragma GCC unroll 4
  for (int v = 0; v < 4; ++v) {
    const __m256i w = _mm256_load_si256(reinterpret_cast<const __m256i*>(b + 32 * v));
    const __m256i sum = _mm256_maddubs_epi16(one, w);
    const __m256i too_much = _mm256_sub_epi16(sum, _mm256_max_epi16(_mm256_min_epi16(sum, most), least));
    i32_store(clamped + 8 * v, _mm256_sub_epi8(w, _mm256_slli_epi16(too_much, 8)));
    totals[v] = _mm256_add_epi16(totals[v], _mm256_abs_epi16(too_much));
    none[v] = _mm256_cmpeq_epi32(too_much, zero);
  }
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  const __m256i bytes = _mm256_packs_epi16(_mm256_packs_epi32(none[0], none[1]), _mm256_packs_epi32(none[2], none[3]));
  return ~static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_permutevar8x32_epi32(bytes, order)));
}

// How many extras from the first on have products whose sums stay within 16 bits, for each pair of k and each sign.
static inline uint32_t count_merged(const Extra* extras, uint32_t count) {
  int32_t sums[2][2] = {{0, 0}, {0, 0}};
  for (uint32_t i = 0; i < count; ++i) {
    for (int pair = 0; pair < 2; ++pair) {
      const int32_t weight = static_cast<int8_t>(static_cast<uint32_t>(extras[i].weights) >> (16 * pair + 8));
      int32_t* sum = &sums[pair][weight < 0];
      *sum += weight;
      if (*sum > kMergedWeights || *sum < -kMergedWeights) return i;
    }
  }
  return count;
}

// Lists what clamping took: weights less clamped weights, where `columns` has bits, one word for two steps. One loop
// goes through words and bits: how many bits a word has cannot be foreseen, and every surprise costs the CPU some 20
// cycles.
static inline void list_extras(const int8_t* b, const uint64_t* columns, size_t words, size_t count,
                               SplitPanel* split) {
  size_t word = 0;
  uint64_t bits = columns[0], next = columns[1];
  for (size_t i = 0; i < count + words; ++i) {
    const size_t bit = lowest_bit(bits | uint64_t{1} << 63), column = bit % kPanelColumns;
    const size_t at = word * 2 * kPanelColumns + bit;
    int32_t weights;
    memcpy(&weights, b + 4 * at, sizeof weights);
    const __m128i excess = _mm_sub_epi8(_mm_cvtsi32_si128(weights), _mm_cvtsi32_si128(split->clamped[at]));
    split->extras[column][split->extra_counts[column]] = {_mm_cvtsi128_si32(excess),
                                                          static_cast<uint32_t>(at / kPanelColumns)};
    split->extra_counts[column] += bits != 0;
    word += bits == 0;
    bits = bits == 0 ? next : bits & (bits - 1);
    next = columns[word + 1];
  }
}

// Splits a panel into clamped weights and extras. Sums of opposite signs never reach a limit, which is 128 or more.
// What is too much is taken from the odd k: it has the sum's sign, and stays on its side of zero.
static inline void split_panel(const int8_t* b, size_t steps, const int32_t* limits, SplitPanel* split) {
  __m256i totals[4];
  for (int v = 0; v < 4; ++v) totals[v] = _mm256_setzero_si256();
  uint64_t columns[kMaxSteps / 2 + 2];
  size_t count = 0;
  for (size_t step = 0; step < steps; step += 2) {
    const uint64_t low = clamp_step(b + step * kStepBytes, limits[step], split->clamped + step * kPanelColumns, totals);
    const uint64_t high =
        clamp_step(b + (step + 1) * kStepBytes, limits[step + 1], split->clamped + (step + 1) * kPanelColumns, totals);
    columns[step / 2] = low | high << 32;
    count += count_bits(columns[step / 2]);
  }
  columns[steps / 2] = columns[steps / 2 + 1] = 0;
  memset(split->extra_counts, 0, sizeof split->extra_counts);
  list_extras(b, columns, steps / 2, count, split);
  alignas(32) uint32_t sizes[kPanelColumns];
  for (int v = 0; v < 4; ++v) _mm256_store_si256(reinterpret_cast<__m256i*>(sizes + 8 * v), totals[v]);
  for (size_t column = 0; column < kPanelColumns; ++column) {
    const uint32_t extras = split->extra_counts[column];
    const bool all = (sizes[column] & 0xffff) <= kMergedWeights && sizes[column] >> 16 <= kMergedWeights;
    split->merged_counts[column] = all ? extras : count_merged(split->extras[column], extras);
  }
}

}  // namespace
}  // namespace qgemm
