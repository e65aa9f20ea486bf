// The vector wrapper for NEON (AArch64 baseline): see scalar.h for what each function means.
#pragma once
#include <arm_neon.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernels/two.h"

namespace qgemm {

enum : size_t { kLanes = 4 };
typedef float32x4_t F32;
typedef int32x4_t I32;
typedef uint32x4_t Mask;
typedef Two<Two<F32>> Group;

static inline void prefetch(const void* p) { __builtin_prefetch(p); }

// NEON has no masked access: a short piece goes through memory of our own.
static inline F32 f32_load(const float* p) { return vld1q_f32(p); }
static inline F32 f32_load_n(const float* p, size_t n) {
  float lanes[kLanes] = {0};
  memcpy(lanes, p, n * sizeof(float));
  return vld1q_f32(lanes);
}
static inline void f32_store(float* p, F32 v) { vst1q_f32(p, v); }
template <int kCount>
static inline void f32_store_row(float* p, const F32 (&row)[kCount]) {
  for (int v = 0; v < kCount; ++v) f32_store(p + v * kLanes, row[v]);
}
static inline void f32_store_n(float* p, F32 v, size_t n) {
  float lanes[kLanes];
  vst1q_f32(lanes, v);
  memcpy(p, lanes, n * sizeof(float));
}
static inline F32 f32_set1(float x) { return vdupq_n_f32(x); }
static inline F32 f32_add(F32 a, F32 b) { return vaddq_f32(a, b); }
static inline F32 f32_sub(F32 a, F32 b) { return vsubq_f32(a, b); }
static inline F32 f32_mul(F32 a, F32 b) { return vmulq_f32(a, b); }
static inline F32 f32_div(F32 a, F32 b) { return vdivq_f32(a, b); }
static inline F32 f32_fma(F32 a, F32 b, F32 c) { return vfmaq_f32(c, a, b); }
// Compare and select, not fmin and fmax: those differ from x86 on NaN.
static inline F32 f32_min(F32 a, F32 b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
static inline F32 f32_max(F32 a, F32 b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
static inline F32 f32_abs(F32 a) { return vabsq_f32(a); }
static inline Mask f32_less(F32 a, F32 b) { return vcltq_f32(a, b); }
static inline I32 f32_bits(F32 a) { return vreinterpretq_s32_f32(a); }
static inline F32 f32_loaded(F32 a) { return a; }
static inline F32 f32_select(Mask m, F32 a, F32 b) { return vbslq_f32(m, a, b); }
static inline Mask f32_is_number(F32 a) { return vceqq_f32(a, a); }
static inline bool mask_all(Mask m) { return vminvq_u32(m) != 0; }
static inline Mask mask_and(Mask a, Mask b) { return vandq_u32(a, b); }

static inline I32 i32_load(const int32_t* p) { return vld1q_s32(p); }
static inline I32 i32_load_n(const int32_t* p, size_t n) {
  int32_t lanes[kLanes] = {0};
  memcpy(lanes, p, n * sizeof(int32_t));
  return vld1q_s32(lanes);
}
static inline void i32_store(int32_t* p, I32 v) { vst1q_s32(p, v); }
static inline void i32_store_n(int32_t* p, I32 v, size_t n) {
  int32_t lanes[kLanes];
  vst1q_s32(lanes, v);
  memcpy(p, lanes, n * sizeof(int32_t));
}
static inline I32 i32_set1(int32_t x) { return vdupq_n_s32(x); }
static inline I32 i32_add(I32 a, I32 b) { return vaddq_s32(a, b); }
static inline I32 i32_sub(I32 a, I32 b) { return vsubq_s32(a, b); }
static inline I32 i32_mul(I32 a, I32 b) { return vmulq_s32(a, b); }
static inline I32 i32_min(I32 a, I32 b) { return vminq_s32(a, b); }
static inline I32 i32_max(I32 a, I32 b) { return vmaxq_s32(a, b); }
static inline I32 u32_max(I32 a, I32 b) {
  return vreinterpretq_s32_u32(vmaxq_u32(vreinterpretq_u32_s32(a), vreinterpretq_u32_s32(b)));
}
static inline I32 i32_and(I32 a, I32 b) { return vandq_s32(a, b); }
static inline I32 i32_xor(I32 a, I32 b) { return veorq_s32(a, b); }
template <int kBits>
static inline I32 i32_shl(I32 a) {
  return vshlq_n_s32(a, kBits);
}
static inline F32 i32_to_f32(I32 a) { return vcvtq_f32_s32(a); }
static inline I32 f32_to_i32(F32 a) { return vcvtnq_s32_f32(a); }
static inline I32 f32_as_i32(F32 a) { return vreinterpretq_s32_f32(a); }
static inline F32 i32_as_f32(I32 a) { return vreinterpretq_f32_s32(a); }
static inline I32 i32_load_u8(const uint8_t* p) {
  uint32_t four;
  memcpy(&four, p, sizeof four);
  const uint16x8_t words = vmovl_u8(vreinterpret_u8_u32(vdup_n_u32(four)));
  return vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(words)));
}
static inline void i32_store_u8(uint8_t* p, I32 v) {
  const uint16x4_t words = vqmovun_s32(v);
  const uint8x8_t bytes = vqmovn_u16(vcombine_u16(words, words));
  const uint32_t four = vget_lane_u32(vreinterpret_u32_u8(bytes), 0);
  memcpy(p, &four, sizeof four);
}
static inline void i32_store4_codes(uint8_t* p, I32 a, I32 b, I32 c, I32 d, int32_t zero_point) {
  const int16x8_t moved = vdupq_n_s16(static_cast<int16_t>(zero_point));
  const int16x8_t low = vaddq_s16(vcombine_s16(vqmovn_s32(a), vqmovn_s32(b)), moved);
  const int16x8_t high = vaddq_s16(vcombine_s16(vqmovn_s32(c), vqmovn_s32(d)), moved);
  vst1q_u8(p, vcombine_u8(vqmovun_s16(low), vqmovun_s16(high)));
}
static inline void i32_load_transposed(const uint8_t* p, size_t ld, I32* out) {
  I32 rows[4];
  for (int r = 0; r < 4; ++r) rows[r] = vreinterpretq_s32_u8(vld1q_u8(p + r * ld));
  const I32 even_low = vzip1q_s32(rows[0], rows[2]), even_high = vzip2q_s32(rows[0], rows[2]);
  const I32 odd_low = vzip1q_s32(rows[1], rows[3]), odd_high = vzip2q_s32(rows[1], rows[3]);
  out[0] = vzip1q_s32(even_low, odd_low);
  out[1] = vzip2q_s32(even_low, odd_low);
  out[2] = vzip1q_s32(even_high, odd_high);
  out[3] = vzip2q_s32(even_high, odd_high);
}
static inline float f32_reduce_min(F32 v) { return vminvq_f32(v); }  // lanes must be numbers
static inline float f32_reduce_max(F32 v) { return vmaxvq_f32(v); }
static inline int32_t i32_reduce_max(I32 v) { return vmaxvq_s32(v); }
static inline uint32_t u32_reduce_max(I32 v) { return vmaxvq_u32(vreinterpretq_u32_s32(v)); }

}  // namespace qgemm
