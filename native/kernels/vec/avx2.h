// The vector wrapper for AVX2 with FMA: see scalar.h for what each function means.
#pragma once
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernels/two.h"

namespace qgemm {

enum : size_t { kLanes = 8 };
typedef __m256 F32;
typedef __m256i I32;
typedef __m256i Mask;  // all ones or all zeros per lane
typedef Two<Two<F32>> Group;

static inline Mask first_lanes(size_t n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

static inline void prefetch(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0); }
static inline void prefetch_l2(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T1); }
static inline F32 f32_load(const float* p) { return _mm256_loadu_ps(p); }
static inline F32 f32_load_n(const float* p, size_t n) { return _mm256_maskload_ps(p, first_lanes(n)); }
static inline void f32_store(float* p, F32 v) { _mm256_storeu_ps(p, v); }
// Vectors one after the other. Where they begin in the middle between two of their places, as in memory of malloc's,
// every other one would cross a cache line: halves of neighbours are put together first, both ends stored as halves.
template <int kCount>
static inline void f32_store_row(float* p, const F32 (&row)[kCount]) {
  if (reinterpret_cast<uintptr_t>(p) % sizeof(F32) != sizeof(F32) / 2) {
#pragma GCC unroll 8
    for (int v = 0; v < kCount; ++v) _mm256_storeu_ps(p + 8 * v, row[v]);
    return;
  }
  _mm_store_ps(p, _mm256_castps256_ps128(row[0]));
#pragma GCC unroll 8
  for (int v = 1; v < kCount; ++v) _mm256_store_ps(p + 8 * v - 4, _mm256_permute2f128_ps(row[v - 1], row[v], 0x21));
  _mm_store_ps(p + 8 * kCount - 4, _mm256_extractf128_ps(row[kCount - 1], 1));
}
static inline void f32_store_n(float* p, F32 v, size_t n) { _mm256_maskstore_ps(p, first_lanes(n), v); }
static inline F32 f32_set1(float x) { return _mm256_set1_ps(x); }
static inline F32 f32_add(F32 a, F32 b) { return _mm256_add_ps(a, b); }
static inline F32 f32_sub(F32 a, F32 b) { return _mm256_sub_ps(a, b); }
static inline F32 f32_mul(F32 a, F32 b) { return _mm256_mul_ps(a, b); }
static inline F32 f32_div(F32 a, F32 b) { return _mm256_div_ps(a, b); }
static inline F32 f32_fma(F32 a, F32 b, F32 c) { return _mm256_fmadd_ps(a, b, c); }
static inline F32 f32_min(F32 a, F32 b) { return _mm256_min_ps(a, b); }
static inline F32 f32_max(F32 a, F32 b) { return _mm256_max_ps(a, b); }
static inline F32 f32_abs(F32 a) { return _mm256_and_ps(a, _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff))); }
static inline Mask f32_less(F32 a, F32 b) { return _mm256_castps_si256(_mm256_cmp_ps(a, b, _CMP_LT_OQ)); }
static inline I32 f32_bits(F32 a) { return _mm256_castps_si256(a); }
// The same value, loaded once: gcc 12 would load it for each of its uses.
static inline F32 f32_loaded(F32 a) {
#if defined(__GNUC__) && !defined(__clang__)
  __asm__("" : "+x"(a));
#endif
  return a;
}
static inline F32 f32_select(Mask m, F32 a, F32 b) { return _mm256_blendv_ps(b, a, _mm256_castsi256_ps(m)); }
static inline Mask f32_is_number(F32 a) { return _mm256_castps_si256(_mm256_cmp_ps(a, a, _CMP_ORD_Q)); }
static inline bool mask_all(Mask m) { return _mm256_movemask_ps(_mm256_castsi256_ps(m)) == 0xff; }
static inline Mask mask_and(Mask a, Mask b) { return _mm256_and_si256(a, b); }

static inline I32 i32_load(const int32_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
static inline I32 i32_load_n(const int32_t* p, size_t n) { return _mm256_maskload_epi32(p, first_lanes(n)); }
static inline void i32_store(int32_t* p, I32 v) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v); }
static inline void i32_store_n(int32_t* p, I32 v, size_t n) { _mm256_maskstore_epi32(p, first_lanes(n), v); }
static inline I32 i32_set1(int32_t x) { return _mm256_set1_epi32(x); }
static inline I32 i32_add(I32 a, I32 b) { return _mm256_add_epi32(a, b); }
static inline I32 i32_sub(I32 a, I32 b) { return _mm256_sub_epi32(a, b); }
static inline I32 i32_mul(I32 a, I32 b) { return _mm256_mullo_epi32(a, b); }
static inline I32 i32_min(I32 a, I32 b) { return _mm256_min_epi32(a, b); }
static inline I32 i32_max(I32 a, I32 b) { return _mm256_max_epi32(a, b); }
static inline I32 u32_max(I32 a, I32 b) { return _mm256_max_epu32(a, b); }
static inline I32 i32_and(I32 a, I32 b) { return _mm256_and_si256(a, b); }
static inline I32 i32_xor(I32 a, I32 b) { return _mm256_xor_si256(a, b); }
template <int kBits>
static inline I32 i32_shl(I32 a) {
  return _mm256_slli_epi32(a, kBits);
}
static inline F32 i32_to_f32(I32 a) { return _mm256_cvtepi32_ps(a); }
static inline I32 f32_to_i32(F32 a) { return _mm256_cvtps_epi32(a); }
static inline I32 f32_as_i32(F32 a) { return _mm256_castps_si256(a); }
static inline F32 i32_as_f32(I32 a) { return _mm256_castsi256_ps(a); }
static inline I32 i32_load_u8(const uint8_t* p) {
  return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
}
static inline void i32_store_u8(uint8_t* p, I32 v) {
  const __m256i words = _mm256_packus_epi32(v, v);
  const __m256i bytes = _mm256_packus_epi16(words, words);
  const uint32_t low = static_cast<uint32_t>(_mm256_extract_epi32(bytes, 0));
  const uint32_t high = static_cast<uint32_t>(_mm256_extract_epi32(bytes, 4));
  memcpy(p, &low, 4);
  memcpy(p + 4, &high, 4);
}
static inline void i32_store4_codes(uint8_t* p, I32 a, I32 b, I32 c, I32 d, int32_t zero_point) {
  const __m256i moved = _mm256_set1_epi16(static_cast<int16_t>(zero_point));
  const __m256i low = _mm256_add_epi16(_mm256_packs_epi32(a, b), moved);
  const __m256i high = _mm256_add_epi16(_mm256_packs_epi32(c, d), moved);
  // Packing works within 128 bits: the four dwords of a half come from a, b, c and d.
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                      _mm256_permutevar8x32_epi32(_mm256_packus_epi16(low, high), order));
}
static inline __m128i load_words(const uint8_t* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }
// Rows r, r + 4, ... are the 128-bit lanes of one register: a 4x4 transposition within lanes does the rest.
static inline void i32_load_transposed(const uint8_t* p, size_t ld, I32* out) {
  I32 rows[4];
  for (int r = 0; r < 4; ++r) {
    const uint8_t* row = p + r * ld;
    rows[r] = _mm256_inserti128_si256(_mm256_castsi128_si256(load_words(row)), load_words(row + 4 * ld), 1);
  }
  const I32 low01 = _mm256_unpacklo_epi32(rows[0], rows[1]), high01 = _mm256_unpackhi_epi32(rows[0], rows[1]);
  const I32 low23 = _mm256_unpacklo_epi32(rows[2], rows[3]), high23 = _mm256_unpackhi_epi32(rows[2], rows[3]);
  out[0] = _mm256_unpacklo_epi64(low01, low23);
  out[1] = _mm256_unpackhi_epi64(low01, low23);
  out[2] = _mm256_unpacklo_epi64(high01, high23);
  out[3] = _mm256_unpackhi_epi64(high01, high23);
}
static inline float f32_reduce_min(F32 v) {
  __m128 x = _mm_min_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  x = _mm_min_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_min_ss(x, _mm_movehdup_ps(x)));
}
static inline float f32_reduce_max(F32 v) {
  __m128 x = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  x = _mm_max_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_max_ss(x, _mm_movehdup_ps(x)));
}
static inline int32_t i32_reduce_max(I32 v) {
  __m128i x = _mm_max_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  x = _mm_max_epi32(x, _mm_shuffle_epi32(x, 0x4e));
  return _mm_cvtsi128_si32(_mm_max_epi32(x, _mm_shuffle_epi32(x, 0xb1)));
}
static inline uint32_t u32_reduce_max(I32 v) {
  __m128i x = _mm_max_epu32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  x = _mm_max_epu32(x, _mm_shuffle_epi32(x, 0x4e));
  return static_cast<uint32_t>(_mm_cvtsi128_si32(_mm_max_epu32(x, _mm_shuffle_epi32(x, 0xb1))));
}

}  // namespace qgemm
