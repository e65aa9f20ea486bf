#pragma once
#include <cstdint>

namespace qgemm {

/// The formats with blocks of 256 values ("K" and its kin): 8 or 16 sub-blocks with small integer scales of their own.
/// Each decodes one block.
void dequantize_q2_k(const uint8_t* block, float* out);
void dequantize_q3_k(const uint8_t* block, float* out);
void dequantize_q4_k(const uint8_t* block, float* out);
void dequantize_q5_k(const uint8_t* block, float* out);
void dequantize_q6_k(const uint8_t* block, float* out);
void dequantize_q8_k(const uint8_t* block, float* out);
void dequantize_iq4_xs(const uint8_t* block, float* out);

/// The 16 values that the codes of IQ4_NL and IQ4_XS stand for.
extern const int8_t kIq4Values[16];

}  // namespace qgemm
