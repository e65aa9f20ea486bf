// quantize_row_f32u8_scalar: one value at a time, through the one-lane wrapper.
#include "kernels/kernel.h"
#include "kernels/vec/scalar.h"
#include "kernels/quantize_row.inc"

namespace qgemm {

void quantize_row_f32u8_scalar(QuantizeRowArgs* args) { quantize_row(args); }

}  // namespace qgemm
