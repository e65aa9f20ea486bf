// Ranges, quantization and dequantization of tensors with AVX2, 8 floats per step.
// Quantizing a step: 1 load, 1 multiply, 1 compare and 1 blend for NaN, 2 clamps, 1 convert, 1 add, 1 and, 2 packs,
// 2 extracts and stores: about a third of what level-1 loads would allow, and more than memory delivers.
#include "kernels/kernel.h"
#include "kernels/vec/avx2.h"
//
#include "kernels/quantize_tensor.inc"

namespace qgemm {

void minmax_f32_avx2(MinMaxArgs* args) { minmax(args); }
void quantize_f32i8_avx2(const QuantizeArgs* args) { quantize(args); }
void dequantize_i8f32_avx2(const DequantizeArgs* args) { dequantize(args); }

}  // namespace qgemm
