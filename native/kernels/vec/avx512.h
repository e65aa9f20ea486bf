// The vector wrapper for AVX-512 (F, BW, VL, DQ): see scalar.h for what each function means.
#pragma once
#if defined(__GNUC__) && !defined(__clang__)
// gcc's own AVX-512 header passes undefined operands around and warns about itself (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernels/two.h"

namespace qgemm {

enum : size_t { kLanes = 16 };
typedef __m512 F32;
typedef __m512i I32;
typedef __mmask16 Mask;
typedef Two<Two<Two<F32>>> Group;

static inline Mask first_lanes(size_t n) { return static_cast<Mask>((1u << n) - 1u); }

static inline void prefetch(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0); }
static inline F32 f32_load(const float* p) { return _mm512_loadu_ps(p); }
static inline F32 f32_load_n(const float* p, size_t n) { return _mm512_maskz_loadu_ps(first_lanes(n), p); }
static inline void f32_store(float* p, F32 v) { _mm512_storeu_ps(p, v); }
template <int kCount>
static inline void f32_store_row(float* p, const F32 (&row)[kCount]) {
  for (int v = 0; v < kCount; ++v) f32_store(p + v * kLanes, row[v]);
}
static inline void f32_store_n(float* p, F32 v, size_t n) { _mm512_mask_storeu_ps(p, first_lanes(n), v); }
static inline F32 f32_set1(float x) { return _mm512_set1_ps(x); }
static inline F32 f32_add(F32 a, F32 b) { return _mm512_add_ps(a, b); }
static inline F32 f32_sub(F32 a, F32 b) { return _mm512_sub_ps(a, b); }
static inline F32 f32_mul(F32 a, F32 b) { return _mm512_mul_ps(a, b); }
static inline F32 f32_div(F32 a, F32 b) { return _mm512_div_ps(a, b); }
static inline F32 f32_fma(F32 a, F32 b, F32 c) { return _mm512_fmadd_ps(a, b, c); }
static inline F32 f32_min(F32 a, F32 b) { return _mm512_min_ps(a, b); }
static inline F32 f32_max(F32 a, F32 b) { return _mm512_max_ps(a, b); }
static inline F32 f32_abs(F32 a) {
  return _mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(a), _mm512_set1_epi32(0x7fffffff)));
}
static inline Mask f32_less(F32 a, F32 b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
static inline I32 f32_bits(F32 a) { return _mm512_castps_si512(a); }
// The same value, loaded once: gcc 12 would load it for each of its uses.
static inline F32 f32_loaded(F32 a) {
#if defined(__GNUC__) && !defined(__clang__)
  __asm__("" : "+v"(a));
#endif
  return a;
}
static inline F32 f32_select(Mask m, F32 a, F32 b) { return _mm512_mask_blend_ps(m, b, a); }
static inline Mask f32_is_number(F32 a) { return _mm512_cmp_ps_mask(a, a, _CMP_ORD_Q); }
static inline bool mask_all(Mask m) { return m == 0xffff; }
static inline Mask mask_and(Mask a, Mask b) { return static_cast<Mask>(a & b); }

static inline I32 i32_load(const int32_t* p) { return _mm512_loadu_si512(p); }
static inline I32 i32_load_n(const int32_t* p, size_t n) { return _mm512_maskz_loadu_epi32(first_lanes(n), p); }
static inline void i32_store(int32_t* p, I32 v) { _mm512_storeu_si512(p, v); }
static inline void i32_store_n(int32_t* p, I32 v, size_t n) { _mm512_mask_storeu_epi32(p, first_lanes(n), v); }
static inline I32 i32_set1(int32_t x) { return _mm512_set1_epi32(x); }
static inline I32 i32_add(I32 a, I32 b) { return _mm512_add_epi32(a, b); }
static inline I32 i32_sub(I32 a, I32 b) { return _mm512_sub_epi32(a, b); }
static inline I32 i32_mul(I32 a, I32 b) { return _mm512_mullo_epi32(a, b); }
static inline I32 i32_min(I32 a, I32 b) { return _mm512_min_epi32(a, b); }
static inline I32 i32_max(I32 a, I32 b) { return _mm512_max_epi32(a, b); }
static inline I32 u32_max(I32 a, I32 b) { return _mm512_max_epu32(a, b); }
static inline I32 i32_and(I32 a, I32 b) { return _mm512_and_si512(a, b); }
static inline I32 i32_xor(I32 a, I32 b) { return _mm512_xor_si512(a, b); }
template <int kBits>
static inline I32 i32_shl(I32 a) {
  return _mm512_slli_epi32(a, kBits);
}
static inline F32 i32_to_f32(I32 a) { return _mm512_cvtepi32_ps(a); }
static inline I32 f32_to_i32(F32 a) { return _mm512_cvtps_epi32(a); }
static inline I32 f32_as_i32(F32 a) { return _mm512_castps_si512(a); }
static inline F32 i32_as_f32(I32 a) { return _mm512_castsi512_ps(a); }
static inline I32 i32_load_u8(const uint8_t* p) {
  return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
static inline void i32_store_u8(uint8_t* p, I32 v) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtusepi32_epi8(v));
}
static inline void i32_store4_codes(uint8_t* p, I32 a, I32 b, I32 c, I32 d, int32_t zero_point) {
  const __m512i moved = _mm512_set1_epi16(static_cast<int16_t>(zero_point));
  const __m512i low = _mm512_add_epi16(_mm512_packs_epi32(a, b), moved);
  const __m512i high = _mm512_add_epi16(_mm512_packs_epi32(c, d), moved);
  // Packing works within 128 bits: the four dwords of a part come from a, b, c and d.
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  _mm512_storeu_si512(p, _mm512_permutexvar_epi32(order, _mm512_packus_epi16(low, high)));
}
static inline __m128i load_words(const uint8_t* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }
// Rows r, r + 4, ... are the 128-bit lanes of one register: a 4x4 transposition within lanes does the rest.
static inline void i32_load_transposed(const uint8_t* p, size_t ld, I32* out) {
  I32 rows[4];
  for (int r = 0; r < 4; ++r) {
    const uint8_t* row = p + r * ld;
    I32 v = _mm512_castsi128_si512(load_words(row));
    v = _mm512_inserti32x4(v, load_words(row + 4 * ld), 1);
    v = _mm512_inserti32x4(v, load_words(row + 8 * ld), 2);
    rows[r] = _mm512_inserti32x4(v, load_words(row + 12 * ld), 3);
  }
  const I32 low01 = _mm512_unpacklo_epi32(rows[0], rows[1]), high01 = _mm512_unpackhi_epi32(rows[0], rows[1]);
  const I32 low23 = _mm512_unpacklo_epi32(rows[2], rows[3]), high23 = _mm512_unpackhi_epi32(rows[2], rows[3]);
  out[0] = _mm512_unpacklo_epi64(low01, low23);
  out[1] = _mm512_unpackhi_epi64(low01, low23);
  out[2] = _mm512_unpacklo_epi64(high01, high23);
  out[3] = _mm512_unpackhi_epi64(high01, high23);
}
static inline float f32_reduce_min(F32 v) { return _mm512_reduce_min_ps(v); }
static inline float f32_reduce_max(F32 v) { return _mm512_reduce_max_ps(v); }
static inline int32_t i32_reduce_max(I32 v) { return _mm512_reduce_max_epi32(v); }
static inline uint32_t u32_reduce_max(I32 v) { return _mm512_reduce_max_epu32(v); }

}  // namespace qgemm
