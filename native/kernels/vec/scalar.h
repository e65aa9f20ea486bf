// The vector wrapper with one lane, and what every function of it means. activations.inc, epilogue.inc and
// quantize_row.inc are written once over these names; each kernel file includes one wrapper.
#pragma once
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernels/two.h"

namespace qgemm {

enum : size_t { kLanes = 1 };
typedef float F32;
typedef int32_t I32;
typedef bool Mask;
typedef F32 Group;  // what activations are computed of at once: several vectors where registers permit (groups.inc)

static inline void prefetch(const void*) {}  // a hint that p is read soon

// `_n` forms touch the first n lanes only, 0 <= n < kLanes; the others read as 0.
static inline F32 f32_load(const float* p) { return *p; }
static inline F32 f32_load_n(const float*, size_t) { return 0.0f; }
static inline void f32_store(float* p, F32 v) { *p = v; }
template <int kCount>
static inline void f32_store_row(float* p, const F32 (&row)[kCount]) {
  for (int v = 0; v < kCount; ++v) f32_store(p + v * kLanes, row[v]);
}
static inline void f32_store_n(float*, F32, size_t) {}
static inline F32 f32_set1(float x) { return x; }
static inline F32 f32_add(F32 a, F32 b) { return a + b; }
static inline F32 f32_sub(F32 a, F32 b) { return a - b; }
static inline F32 f32_mul(F32 a, F32 b) { return a * b; }
static inline F32 f32_div(F32 a, F32 b) { return a / b; }

// a * b + c, rounded once.
static inline F32 f32_fma(F32 a, F32 b, F32 c) {
#if defined(__FMA__) || defined(__aarch64__) || defined(_M_ARM64)
  return fmaf(a, b, c);
#else
  // The product of two floats is exact in double. TwoSum gives the error of the sum; rounding the sum to odd makes the
  // second rounding, to float, correct (Boldo and Melquiond, "Emulation of a FMA and correctly rounded sums", 2008).
  const double product = static_cast<double>(a) * b;
  const double addend = c;
  double sum = product + addend;
  const double virtual_addend = sum - product;
  const double error = (product - (sum - virtual_addend)) + (addend - virtual_addend);
  uint64_t bits;
  memcpy(&bits, &sum, sizeof bits);
  const bool finite = (bits & 0x7ff0000000000000ull) != 0x7ff0000000000000ull;
  if (finite && error != 0.0 && (bits & 1) == 0) {
    // An even sum that is inexact moves by one unit towards the error: that neighbour is odd.
    bits += ((error > 0.0) == (sum > 0.0)) ? 1u : ~0ull;
    memcpy(&sum, &bits, sizeof bits);
  }
  return static_cast<float>(sum);
#endif
}

// Not commutative: the second operand where either is NaN or both are equal, as x86 does.
static inline F32 f32_min(F32 a, F32 b) { return a < b ? a : b; }
static inline F32 f32_max(F32 a, F32 b) { return a > b ? a : b; }
static inline F32 f32_abs(F32 a) { return fabsf(a); }
static inline Mask f32_less(F32 a, F32 b) { return a < b; }
static inline I32 f32_bits(F32 a) {
  I32 bits;
  memcpy(&bits, &a, sizeof bits);
  return bits;
}
static inline F32 f32_loaded(F32 a) { return a; }
static inline F32 f32_select(Mask m, F32 a, F32 b) { return m ? a : b; }  // m ? a : b per lane
static inline Mask f32_is_number(F32 a) { return a == a; }
static inline bool mask_all(Mask m) { return m; }
static inline Mask mask_and(Mask a, Mask b) { return a && b; }

// 32-bit integers wrap modulo 2^32.
static inline I32 i32_load(const int32_t* p) { return *p; }
static inline I32 i32_load_n(const int32_t*, size_t) { return 0; }
static inline void i32_store(int32_t* p, I32 v) { *p = v; }
static inline void i32_store_n(int32_t*, I32, size_t) {}
static inline I32 i32_set1(int32_t x) { return x; }
static inline I32 i32_add(I32 a, I32 b) {
  return static_cast<I32>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b));
}
static inline I32 i32_sub(I32 a, I32 b) {
  return static_cast<I32>(static_cast<uint32_t>(a) - static_cast<uint32_t>(b));
}
static inline I32 i32_mul(I32 a, I32 b) {
  return static_cast<I32>(static_cast<uint32_t>(a) * static_cast<uint32_t>(b));
}
static inline I32 i32_min(I32 a, I32 b) { return a < b ? a : b; }
static inline I32 i32_max(I32 a, I32 b) { return a > b ? a : b; }
static inline I32 u32_max(I32 a, I32 b) {
  return static_cast<uint32_t>(a) > static_cast<uint32_t>(b) ? a : b;
}  // as uint32
static inline I32 i32_and(I32 a, I32 b) { return a & b; }
static inline I32 i32_xor(I32 a, I32 b) { return a ^ b; }
template <int kBits>
static inline I32 i32_shl(I32 a) {
  return static_cast<I32>(static_cast<uint32_t>(a) << kBits);
}
static inline F32 i32_to_f32(I32 a) { return static_cast<float>(a); }
// Rounds half to even; NaN and what does not fit give INT32_MIN, as x86 does.
static inline I32 f32_to_i32(F32 a) {
  if (!(a >= -2147483648.0f && a < 2147483648.0f)) return INT32_MIN;
  return static_cast<I32>(lrintf(a));  // one instruction where nearbyintf is a call
}
static inline I32 f32_as_i32(F32 a) {
  I32 i;
  memcpy(&i, &a, sizeof i);
  return i;
}
static inline F32 i32_as_f32(I32 a) {
  F32 f;
  memcpy(&f, &a, sizeof f);
  return f;
}
static inline I32 i32_load_u8(const uint8_t* p) { return *p; }
// Lanes must be in [0, 32767]; above 255 they saturate.
static inline void i32_store_u8(uint8_t* p, I32 v) { *p = static_cast<uint8_t>(v > 255 ? 255 : v); }
// Four vectors, one after the other: lane + zero_point as uint8, saturated at both ends; lanes within +-32000.
static inline void i32_store4_codes(uint8_t* p, I32 a, I32 b, I32 c, I32 d, int32_t zero_point) {
  const I32 lanes[4] = {a, b, c, d};
  for (int i = 0; i < 4; ++i) i32_store_u8(p + i, i32_max(lanes[i] + zero_point, 0));
}
// Four neighbouring words of each of kLanes rows, `ld` bytes apart: lane i of out[w] is word w of row i.
static inline void i32_load_transposed(const uint8_t* p, size_t, I32* out) { memcpy(out, p, 4 * sizeof(I32)); }
static inline float f32_reduce_min(F32 v) { return v; }
static inline float f32_reduce_max(F32 v) { return v; }
static inline int32_t i32_reduce_max(I32 v) { return v; }
static inline uint32_t u32_reduce_max(I32 v) { return static_cast<uint32_t>(v); }

}  // namespace qgemm
