// The window of codes within which pairs of products rarely saturate (gemm_u8s8f32_avx2.cc). Include after a vector
// wrapper.
#pragma once
#include "kernels/kernel.h"
#include "kernels/rows_of.h"

namespace qgemm {
namespace {  // internal linkage: each file has its own flags

constexpr size_t kMostExtras = 3;          // one of so many steps; with more, nibbles are faster
constexpr size_t kPadding = kPaddedK / 4;  // steps at the end of a row that may be codes 0, outside of the window

static inline __m256i bytes_load(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
static inline __m256i bytes_set1(size_t x) { return _mm256_set1_epi8(static_cast<char>(x)); }

// The lowest code of the window for a row.
static inline size_t window_start(const GemmU8S8Args* args, size_t row) {
  constexpr int32_t kLast = 255 - kActivationWindow;
  const int32_t start = args->a_zero_points != nullptr ? args->a_zero_points[row] - kActivationWindow / 2 : 0;
  return static_cast<size_t>(start < 0 ? 0 : start < kLast ? start : kLast);
}

// Whether the extra steps of all rows fit, `depth` steps of k at a time.
static inline bool few_extras(const GemmU8S8Args* args, size_t depth) {
  const __m256i zero = _mm256_setzero_si256();
  for (size_t k0 = 0; k0 < args->k; k0 += depth) {
    const size_t end = smaller(args->k, k0 + depth);
    __m256i inside = zero;  // less one for each step and side where nothing lies outside
    for (size_t i = 0; i < args->m; ++i) {
      const size_t start = window_start(args, i);
      const __m256i first = bytes_set1(start), last = bytes_set1(start + kActivationWindow);
      for (size_t k = k0; k < end; k += 32) {
        const __m256i a = bytes_load(args->a + i * args->lda + k);
        inside = i32_add(inside, _mm256_cmpeq_epi32(_mm256_subs_epu8(a, last), zero));
        inside = i32_add(inside, _mm256_cmpeq_epi32(_mm256_subs_epu8(first, a), zero));
      }
    }
    int32_t counts[8], sum = 0;
    i32_store(counts, inside);
    for (size_t i = 0; i < 8; ++i) sum -= counts[i];
    const size_t steps = args->m * (end - k0) / 4;
    if (2 * steps - static_cast<size_t>(sum) > steps / kMostExtras + args->m * kPadding) return false;
  }
  return true;
}

}  // namespace
}  // namespace qgemm
