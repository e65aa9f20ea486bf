// quantize_row_f32u8_avx512: two passes over a row in L1. First minimum, maximum and "all finite", second multiply,
// round, clamp, narrow, sum. Bound by comparing in the first pass and by conversion and narrowing in the second.
#include "kernels/kernel.h"
#include "kernels/vec/avx512.h"
#include "kernels/quantize_row.inc"

namespace qgemm {

void quantize_row_f32u8_avx512(QuantizeRowArgs* args) { quantize_row(args); }

}  // namespace qgemm
