#pragma once
#include <cstddef>
#include <cstdint>

#include "core/qparams.h"
#include "core/slab.h"
#include "core/status.h"

namespace qgemm {

/// Vectorised quantization of whole tensors, on the pool, same bytes from every ISA and any number of threads. Formulas
/// and special values: docs/quantization.md. Sizes were checked by the caller: products fit size_t.

/// scales[axis], zero_points[axis] for x. Ranges are over the finite values. Status::out_of_memory, or, with
/// `reject_non_finite`, Status::non_finite: then nothing was written.
Status choose_qparams(const float* x, const Slab& slab, const QRange& range, bool reject_non_finite, float* scales,
                      int32_t* zero_points);

/// q = clamp(rne(x / scale) + zero_point, qmin, qmax) as bytes, x * (1/scale) unless `divide`. NaN gives zero_point.
/// Scales are > 0, zero points within the range of the codes.
void quantize(const float* x, const Slab& slab, const float* scales, const int32_t* zero_points, bool divide,
              int32_t qmin, int32_t qmax, uint8_t* q);

/// x = float(q - zero_point) * scale.
void dequantize(const uint8_t* q, bool is_signed, const Slab& slab, const float* scales, const int32_t* zero_points,
                float* x);

/// Widens [lo, hi], lo <= 0 <= hi, by the finite values of x: the range of a tensor that is read in pieces. False when
/// x holds NaN or an infinity.
bool extend_range(const float* x, size_t size, float* lo, float* hi);

/// Index of the first NaN or infinity in x[size], or `size`.
size_t find_non_finite(const float* x, size_t size);

}  // namespace qgemm
