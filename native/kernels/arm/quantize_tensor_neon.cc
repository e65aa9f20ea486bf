// Ranges, quantization and dequantization of tensors with NEON, 4 floats per step.
#include "kernels/kernel.h"
#include "kernels/vec/neon.h"
//
#include "kernels/quantize_tensor.inc"

namespace qgemm {

void minmax_f32_neon(MinMaxArgs* args) { minmax(args); }
void quantize_f32i8_neon(const QuantizeArgs* args) { quantize(args); }
void dequantize_i8f32_neon(const DequantizeArgs* args) { dequantize(args); }

}  // namespace qgemm
