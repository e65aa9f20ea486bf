#pragma once
#include <cstddef>
#include <cstdint>

namespace qgemm {

/// Exact conversions of IEEE half precision and bfloat16 to float32.
float float16_to_float32(uint16_t half);
float bfloat16_to_float32(uint16_t value);

void float16_to_float32(const uint16_t* in, size_t count, float* out);
void bfloat16_to_float32(const uint16_t* in, size_t count, float* out);

/// Rounded half to even; beyond 65504 to infinity. NaN gives a quiet NaN.
uint16_t float32_to_float16(float value);

}  // namespace qgemm
