#include <algorithm>
#include <cmath>
#include <limits>

#include "core/reference.h"

namespace qgemm {
namespace reference {

void quantize_row(QuantizeRowArgs* args) {
  const bool asymmetric = args->range == RowRange::asymmetric;
  const float min_scale = std::numeric_limits<float>::min();
  float lo = 0.0f, hi = 0.0f;
  args->non_finite = false;
  for (size_t i = 0; i < args->k; ++i) {
    const float x = args->x[i];
    if (std::isfinite(x)) {
      lo = std::min(lo, x);
      hi = std::max(hi, x);
    } else {
      args->non_finite = true;
    }
  }
  if (args->fixed_range != nullptr) {
    lo = args->fixed_range[0];
    hi = args->fixed_range[1];
  }
  args->scale = std::max(asymmetric ? hi / 255.0f - lo / 255.0f : std::max(hi, -lo) / 127.0f, min_scale);
  const float inv = 1.0f / args->scale;
  args->zero_point = asymmetric ? static_cast<int32_t>(std::clamp(std::nearbyint(-lo * inv), 0.0f, 255.0f)) : 128;
  const int32_t qmin = asymmetric ? 0 : 1;
  args->row_sum = 0;
  for (size_t i = 0; i < args->padded_k; ++i) {
    int32_t q = 0;
    if (i < args->k) {
      const float x = args->x[i];
      if (std::isnan(x)) {
        q = args->zero_point;
      } else if (std::isinf(x)) {
        q = x > 0.0f ? 255 : qmin;
      } else {
        // Values outside a fixed range may be far beyond int32.
        const float code = std::nearbyint(x * inv) + static_cast<float>(args->zero_point);
        q = static_cast<int32_t>(std::clamp(code, static_cast<float>(qmin), 255.0f));
      }
    }
    args->q[i] = static_cast<uint8_t>(q);
    args->row_sum += q;
  }
}

void minmax(MinMaxArgs* args) {
  const Rectangle& shape = args->shape;
  args->non_finite = false;
  for (size_t i = 0; i < shape.rows; ++i) {
    for (size_t j = 0; j < shape.columns; ++j) {
      const float x = args->x[i * shape.ld + j];
      const size_t p = shape.per_column ? j : 0;
      if (!std::isfinite(x)) {
        args->non_finite = true;
        continue;
      }
      args->lo[p] = std::min(args->lo[p], x);
      args->hi[p] = std::max(args->hi[p], x);
    }
  }
}

void quantize(const QuantizeArgs& args) {
  const Rectangle& shape = args.shape;
  for (size_t i = 0; i < shape.rows; ++i) {
    for (size_t j = 0; j < shape.columns; ++j) {
      const size_t p = shape.per_column ? j : 0;
      const float x = args.x[i * shape.ld + j];
      const float v = args.divide ? x / args.factor[p] : x * args.factor[p];
      const float rounded = std::isnan(v) ? 0.0f : std::clamp(std::nearbyint(v), args.lowest[p], args.highest[p]);
      args.q[i * shape.ld + j] = static_cast<uint8_t>(static_cast<int32_t>(rounded) + args.zero_point[p]);
    }
  }
}

void dequantize(const DequantizeArgs& args) {
  const Rectangle& shape = args.shape;
  for (size_t i = 0; i < shape.rows; ++i) {
    for (size_t j = 0; j < shape.columns; ++j) {
      const size_t p = shape.per_column ? j : 0;
      const int32_t code = static_cast<uint8_t>(args.q[i * shape.ld + j] ^ args.flip);
      args.x[i * shape.ld + j] = static_cast<float>(code - args.zero_point[p]) * args.scale[p];
    }
  }
}

}  // namespace reference
}  // namespace qgemm
