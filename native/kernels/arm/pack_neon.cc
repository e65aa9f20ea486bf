// pack_rows_u8s8_neon, quantize_columns_f32s8_neon: 4 columns or rows per step.
#include "kernels/kernel.h"
#include "kernels/vec/neon.h"
//
#include "kernels/pack.inc"

namespace qgemm {

void pack_rows_u8s8_neon(const PackRowsArgs* args) { pack_rows(args); }
void quantize_columns_f32s8_neon(const QuantizeColumnsArgs* args) { quantize_columns(args); }

}  // namespace qgemm
