#pragma once
#include <cstdint>

namespace qgemm {

/// The formats with blocks of 256 values that are -1, 0 or 1 times a scale. Each decodes one block.
void dequantize_tq1_0(const uint8_t* block, float* out);
void dequantize_tq2_0(const uint8_t* block, float* out);

}  // namespace qgemm
