#include "core/quantize.h"

#include <algorithm>

#include "core/aligned_buffer.h"
#include "core/dispatch.h"

namespace qgemm {
namespace {

// Below this, parameters spread over columns cost less than a call of the kernel per channel.
constexpr size_t kMinRun = 64;

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
  for_each_channel(work.slab, piece, [&](size_t channel, size_t column, size_t count) {
    const float scale = work.scales[channel];
    const int32_t zero_point = work.zero_points[channel];
    std::fill_n(columns.factor + column, count, work.divide ? scale : 1.0f / scale);
    std::fill_n(columns.lowest + column, count, static_cast<float>(work.qmin - zero_point));
    std::fill_n(columns.highest + column, count, static_cast<float>(work.qmax - zero_point));
    std::fill_n(columns.zero_point + column, count, zero_point);
  });
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
  for_each_channel(work.slab, piece, [&](size_t channel, size_t column, size_t count) {
    std::fill_n(scale + column, count, work.scales[channel]);
    std::fill_n(zero_point + column, count, work.zero_points[channel] + (work.is_signed ? 128 : 0));
  });
  const uint8_t flip = work.is_signed ? 0x80 : 0;
  const DequantizeArgs args{piece.shape, work.q + piece.offset, flip, work.x + piece.offset, scale, zero_point};
  work.kernel(&args);
}

}  // namespace

void quantize(const float* x, const Slab& slab, const float* scales, const int32_t* zero_points, bool divide,
              int32_t qmin, int32_t qmax, uint8_t* q) {
  advise_huge_pages(q, slab.size());
  const QuantizeFn kernel = choose_quantize(dispatch_config()).run;
  QuantizeWork work{x, slab, scales, zero_points, divide, qmin, qmax, q, kernel};
  for_each_piece(slab, kMinRun, quantize_piece, &work);
}

void dequantize(const uint8_t* q, bool is_signed, const Slab& slab, const float* scales, const int32_t* zero_points,
                float* x) {
  advise_huge_pages(x, slab.size() * sizeof(float));
  const DequantizeFn kernel = choose_dequantize(dispatch_config()).run;
  DequantizeWork work{q, is_signed, slab, scales, zero_points, x, kernel};
  for_each_piece(slab, kMinRun, dequantize_piece, &work);
}

}  // namespace qgemm
