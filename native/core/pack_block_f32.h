#pragma once
#include <cstddef>

namespace qgemm {

/// Packs x[rows, k] for a kernel of `mr` rows, at least `rows`: out[kk * mr + i] = x[i][kk], so that the kernel's
/// broadcasts read one stream, whatever K is. Nothing is written for rows that are not there.
void pack_block_f32(const float* x, size_t rows, size_t k, size_t mr, float* out);

}  // namespace qgemm
