// Ranges, quantization and dequantization of tensors with AVX-512, 16 floats per step.
// Quantizing a step: 1 load, 1 multiply, 1 compare and 1 blend for NaN, 2 clamps, 1 convert, 1 add, 1 and, 1 narrowing
// store: more than memory delivers.
#include "kernels/kernel.h"
#include "kernels/vec/avx512.h"
//
#include "kernels/quantize_tensor.inc"

namespace qgemm {

void minmax_f32_avx512(MinMaxArgs* args) { minmax(args); }
void quantize_f32i8_avx512(const QuantizeArgs* args) { quantize(args); }
void dequantize_i8f32_avx512(const DequantizeArgs* args) { dequantize(args); }

}  // namespace qgemm
