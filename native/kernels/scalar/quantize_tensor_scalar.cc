// Ranges, quantization and dequantization of tensors with plain C, one float per step, the baseline for every CPU.
#include "kernels/kernel.h"
#include "kernels/vec/scalar.h"
//
#include "kernels/quantize_tensor.inc"

namespace qgemm {

void minmax_f32_scalar(MinMaxArgs* args) { minmax(args); }
void quantize_f32i8_scalar(const QuantizeArgs* args) { quantize(args); }
void dequantize_i8f32_scalar(const DequantizeArgs* args) { dequantize(args); }

}  // namespace qgemm
