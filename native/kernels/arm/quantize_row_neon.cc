// quantize_row_f32u8_neon: two passes over a row in L1, 4 floats per step: first minimum, maximum and "all finite",
// then multiply, round, clamp, narrow.
#include "kernels/kernel.h"
#include "kernels/vec/neon.h"
//
#include "kernels/quantize_row.inc"

namespace qgemm {

void quantize_row_f32u8_neon(QuantizeRowArgs* args) { quantize_row(args); }

}  // namespace qgemm
