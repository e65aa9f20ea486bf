#pragma once
#include <cstdint>

namespace qgemm {

/// The formats with blocks of 256 values whose codes are points of a lattice, four or eight values each. Each decodes
/// one block.
void dequantize_iq2_xxs(const uint8_t* block, float* out);
void dequantize_iq2_xs(const uint8_t* block, float* out);
void dequantize_iq2_s(const uint8_t* block, float* out);
void dequantize_iq3_xxs(const uint8_t* block, float* out);
void dequantize_iq3_s(const uint8_t* block, float* out);
void dequantize_iq1_s(const uint8_t* block, float* out);
void dequantize_iq1_m(const uint8_t* block, float* out);

}  // namespace qgemm
