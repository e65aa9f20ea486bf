// pack_rows_u8s8_scalar, quantize_columns_f32s8_scalar: one value at a time, through the one-lane wrapper.
#include "kernels/kernel.h"
#include "kernels/vec/scalar.h"
//
#include "kernels/pack.inc"

namespace qgemm {

void pack_rows_u8s8_scalar(const PackRowsArgs* args) { pack_rows(args); }
void quantize_columns_f32s8_scalar(const QuantizeColumnsArgs* args) { quantize_columns(args); }

}  // namespace qgemm
