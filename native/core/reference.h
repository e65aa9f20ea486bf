// The oracle: the formulas of kernel.h and docs/quantization.md, written to be read and checked by eye, slow, in plain
// scalar code, sharing nothing with the kernels. Every native test compares with it; integers and bits, not tolerances.
#pragma once
#include "kernels/kernel.h"

namespace qgemm {
namespace reference {

/// The activation functions of native/kernels/activations.inc, one value at a time.
float activate(Activation activation, float x);

/// What a QuantizeRowFn must give.
void quantize_row(QuantizeRowArgs* args);

/// What a MinMaxFn, a QuantizeFn and a DequantizeFn must give.
void minmax(MinMaxArgs* args);
void quantize(const QuantizeArgs& args);
void dequantize(const DequantizeArgs& args);

/// What a PackRowsFn and a QuantizeColumnsFn must give.
void pack_rows(const PackRowsArgs& args);
void quantize_columns(const QuantizeColumnsArgs& args);

/// What a GemmU8S8Fn must give; any m and n, over as many panels as n needs.
void gemm_u8s8(const GemmU8S8Args& args);

/// What a GemmF32Fn must give; any m and n.
void gemm_f32(const GemmF32Args& args);

}  // namespace reference
}  // namespace qgemm
