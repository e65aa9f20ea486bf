#include "core/pack_block_f32.h"

#include <algorithm>

#if defined(__x86_64__) || defined(_M_X64)
#include <xmmintrin.h>
#elif defined(__aarch64__) || defined(_M_ARM64)
#include <arm_neon.h>
#endif

namespace qgemm {
namespace {

// Four values of four rows, with what every CPU of the architecture has: wider transpositions are no faster (a store
// that crosses cache lines costs what it saves).
void transpose_4x4(const float* x, size_t k, size_t mr, float* out) {
#if defined(__x86_64__) || defined(_M_X64)
  __m128 a = _mm_loadu_ps(x), b = _mm_loadu_ps(x + k), c = _mm_loadu_ps(x + 2 * k), d = _mm_loadu_ps(x + 3 * k);
  _MM_TRANSPOSE4_PS(a, b, c, d);
  _mm_storeu_ps(out, a);
  _mm_storeu_ps(out + mr, b);
  _mm_storeu_ps(out + 2 * mr, c);
  _mm_storeu_ps(out + 3 * mr, d);
#elif defined(__aarch64__) || defined(_M_ARM64)
  const float32x4x2_t ac = vzipq_f32(vld1q_f32(x), vld1q_f32(x + 2 * k));
  const float32x4x2_t bd = vzipq_f32(vld1q_f32(x + k), vld1q_f32(x + 3 * k));
  const float32x4x2_t low = vzipq_f32(ac.val[0], bd.val[0]), high = vzipq_f32(ac.val[1], bd.val[1]);
  vst1q_f32(out, low.val[0]);
  vst1q_f32(out + mr, low.val[1]);
  vst1q_f32(out + 2 * mr, high.val[0]);
  vst1q_f32(out + 3 * mr, high.val[1]);
#else
  for (size_t i = 0; i < 4; ++i) {
    for (size_t kk = 0; kk < 4; ++kk) out[kk * mr + i] = x[i * k + kk];
  }
#endif
}

}  // namespace

void pack_block_f32(const float* x, size_t rows, size_t k, size_t mr, float* out) {
  if (mr == 1) {
    std::copy(x, x + k, out);
    return;
  }
  // Rows of 4096 floats all fall into one set of the level-1 cache: four of them at a time stay there for a cache line.
  constexpr size_t kCacheLine = 16;
  const size_t fours = rows / 4 * 4;
  for (size_t k0 = 0; k0 < k; k0 += kCacheLine) {
    const size_t end = std::min(k, k0 + kCacheLine);
    for (size_t i = 0; i < fours; i += 4) {
      size_t kk = k0;
      for (; kk + 4 <= end; kk += 4) transpose_4x4(x + i * k + kk, k, mr, out + kk * mr + i);
      for (; kk < end; ++kk) {
        for (size_t row = i; row < i + 4; ++row) out[kk * mr + row] = x[row * k + kk];
      }
    }
    for (size_t i = fours; i < rows; ++i) {
      for (size_t kk = k0; kk < end; ++kk) out[kk * mr + i] = x[i * k + kk];
    }
  }
}

}  // namespace qgemm
