#include "core/float16.h"

#include "core/float_bits.h"

namespace qgemm {

float float16_to_float32(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
  const uint32_t rest = half & 0x7fffu;
  if (rest >= 0x7c00u) return float_of(sign | 0x7f800000u | ((rest & 0x3ffu) << 13));  // infinity, NaN
  if (rest >= 0x0400u) return float_of(sign | ((rest << 13) + 0x38000000u));
  // Zero and subnormals: rest * 2^-24, exact.
  const float magnitude = static_cast<float>(rest) * 5.9604644775390625e-8f;
  return sign ? -magnitude : magnitude;
}

float bfloat16_to_float32(uint16_t value) { return float_of(static_cast<uint32_t>(value) << 16); }

void float16_to_float32(const uint16_t* in, size_t count, float* out) {
  for (size_t i = 0; i < count; ++i) out[i] = float16_to_float32(in[i]);
}

void bfloat16_to_float32(const uint16_t* in, size_t count, float* out) {
  for (size_t i = 0; i < count; ++i) out[i] = bfloat16_to_float32(in[i]);
}

uint16_t float32_to_float16(float value) {
  const uint32_t bits = bits_of(value);
  const uint32_t sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<uint16_t>(sign | 0x7e00u);
  if (magnitude >= 0x477ff000u) return static_cast<uint16_t>(sign | 0x7c00u);  // 65520 and more
  // Below 2^-14 the result counts steps of 2^-24, which is how the sum with 0.5 rounds.
  if (magnitude < 0x38800000u) return static_cast<uint16_t>(sign | (bits_of(float_of(magnitude) + 0.5f) - 0x3f000000u));
  const uint32_t half_to_even = 0xfffu + (magnitude >> 13 & 1);
  return static_cast<uint16_t>(sign | (magnitude + half_to_even - 0x38000000u) >> 13);
}

}  // namespace qgemm
