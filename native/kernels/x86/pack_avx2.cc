// pack_rows_u8s8_avx2, quantize_columns_f32s8_avx2: 8 columns or rows per step.
#include "kernels/kernel.h"
#include "kernels/vec/avx2.h"
//
#include "kernels/pack.inc"

namespace qgemm {

void pack_rows_u8s8_avx2(const PackRowsArgs* args) { pack_rows(args); }
void quantize_columns_f32s8_avx2(const QuantizeColumnsArgs* args) { quantize_columns(args); }

}  // namespace qgemm
