#include "core/quantize.h"

#include "core/dispatch.h"
#include "core/fp_env.h"

namespace qgemm {
namespace {

size_t channel_of(const Slab& slab, const Piece& piece, size_t column) {
  return (piece.first_channel + column / slab.inner) % slab.axis;
}

struct QuantizeWork {
  const float* x;
  Slab slab;
  const float* scales;
  const int32_t* zero_points;
  bool divide;
  int32_t qmin, qmax;
  uint8_t* q;
  QuantizeFn kernel;
};

// Parameters of the columns of a piece, as the kernel wants them.
struct QuantizeColumns {
  float factor[kPieceColumns];
  float lowest[kPieceColumns];
  float highest[kPieceColumns];
  int32_t zero_point[kPieceColumns];
};

void quantize_piece(void* context, const Piece& piece) {
  const QuantizeWork& work = *static_cast<const QuantizeWork*>(context);
  QuantizeColumns columns;
  const size_t count = piece.shape.per_column ? piece.shape.columns : 1;
  for (size_t j = 0; j < count; ++j) {
    const size_t channel = channel_of(work.slab, piece, j);
    const int32_t zero_point = work.zero_points[channel];
    columns.factor[j] = work.divide ? work.scales[channel] : 1.0f / work.scales[channel];
    columns.lowest[j] = static_cast<float>(work.qmin - zero_point);
    columns.highest[j] = static_cast<float>(work.qmax - zero_point);
    columns.zero_point[j] = zero_point;
  }
  const QuantizeArgs args{piece.shape,    work.x + piece.offset, work.q + piece.offset, work.divide,
                          columns.factor, columns.lowest,        columns.highest,       columns.zero_point};
  work.kernel(&args);
}

struct DequantizeWork {
  const uint8_t* q;
  bool is_signed;
  Slab slab;
  const float* scales;
  const int32_t* zero_points;
  float* x;
  DequantizeFn kernel;
};

void dequantize_piece(void* context, const Piece& piece) {
  const DequantizeWork& work = *static_cast<const DequantizeWork*>(context);
  float scale[kPieceColumns];
  int32_t zero_point[kPieceColumns];
  const size_t count = piece.shape.per_column ? piece.shape.columns : 1;
  for (size_t j = 0; j < count; ++j) {
    const size_t channel = channel_of(work.slab, piece, j);
    scale[j] = work.scales[channel];
    zero_point[j] = work.zero_points[channel] + (work.is_signed ? 128 : 0);
  }
  const uint8_t flip = work.is_signed ? 0x80 : 0;
  const DequantizeArgs args{piece.shape, work.q + piece.offset, flip, work.x + piece.offset, scale, zero_point};
  work.kernel(&args);
}

}  // namespace

void quantize(const float* x, const Slab& slab, const float* scales, const int32_t* zero_points, bool divide,
              int32_t qmin, int32_t qmax, uint8_t* q) {
  const ScopedFpEnv fp_env;
  const QuantizeFn kernel = choose_quantize(dispatch_config()).run;
  QuantizeWork work{x, slab, scales, zero_points, divide, qmin, qmax, q, kernel};
  for_each_piece(slab, quantize_piece, &work);
}

void dequantize(const uint8_t* q, bool is_signed, const Slab& slab, const float* scales, const int32_t* zero_points,
                float* x) {
  const ScopedFpEnv fp_env;
  const DequantizeFn kernel = choose_dequantize(dispatch_config()).run;
  DequantizeWork work{q, is_signed, slab, scales, zero_points, x, kernel};
  for_each_piece(slab, dequantize_piece, &work);
}

}  // namespace qgemm
