#pragma once
#include <cstddef>
#include <cstdint>

namespace qgemm {

/// Exact conversions of IEEE half precision and bfloat16 to float32.
float float16_to_float32(uint16_t half);
float bfloat16_to_float32(uint16_t value);

void float16_to_float32(const uint16_t* in, size_t count, float* out);
void bfloat16_to_float32(const uint16_t* in, size_t count, float* out);

}  // namespace qgemm
