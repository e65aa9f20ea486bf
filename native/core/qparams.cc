#include "core/qparams.h"

#include <algorithm>
#include <cmath>

namespace qgemm {
namespace {

// Smallest normal float32: 1/scale of anything smaller may overflow.
constexpr float kMinNormal = 1.17549435082228750797e-38f;

// Round half to even, the rounding mode in force; within int32 for every caller here.
int32_t rne(double v) { return static_cast<int32_t>(std::nearbyint(v)); }
int32_t clamp(int32_t v, int32_t lo, int32_t hi) { return std::min(std::max(v, lo), hi); }

QParams choose_qgemm(const QRange& r, float lo, float hi) {
  if (r.symmetric) {
    const int32_t zero_point = r.is_signed ? 0 : (r.qmin + r.qmax + 1) / 2;
    const float steps = static_cast<float>(std::min(r.qmax - zero_point, zero_point - r.qmin));
    return {std::max(std::max(-lo, hi) / steps, r.eps), zero_point};
  }
  const float steps = static_cast<float>(r.qmax - r.qmin);
  const float scale = std::max(hi / steps - lo / steps, r.eps);
  const float inverse = 1.0f / scale;
  return {scale, r.qmin + clamp(rne(-lo * inverse), 0, r.qmax - r.qmin)};
}

// torch.ao.quantization.MinMaxObserver, _calculate_qparams.
QParams choose_torch(const QRange& r, float lo, float hi, bool empty) {
  if (empty) return {1.0f, 0};
  const float steps = static_cast<float>(r.qmax - r.qmin);
  if (r.symmetric) {
    int32_t zero_point = 0;
    if (!r.is_signed) zero_point = r.custom_range ? (r.qmin + r.qmax) / 2 : 128;
    return {std::max(std::max(-lo, hi) / (steps / 2.0f), r.eps), zero_point};
  }
  float scale = (hi - lo) / steps;
  if (!std::isfinite(scale)) scale = hi / steps - lo / steps;  // torch gives an infinite scale there
  scale = std::max(scale, r.eps);
  return {scale, clamp(r.qmin - rne(lo / scale), r.qmin, r.qmax)};
}

// ATen's and FBGEMM's ChooseQuantizationParams: the zero point comes from the end of the range with the smaller error.
QParams choose_torch_dynamic(const QRange& r, float lo, float hi) {
  constexpr float kSmallScale = 6.1e-5f;
  const int32_t steps = r.qmax - r.qmin;
  double scale = (static_cast<double>(hi) - lo) / steps;
  if (static_cast<float>(scale) == 0.0f || std::isinf(1.0f / static_cast<float>(scale))) scale = 0.1;
  if (scale < kSmallScale) {
    const float amplifier = kSmallScale / static_cast<float>(scale);
    scale = kSmallScale;
    if (lo == 0.0f) {
      hi = kSmallScale * static_cast<float>(steps);
    } else if (hi == 0.0f) {
      lo = -kSmallScale * static_cast<float>(steps);
    } else {
      lo *= amplifier;
      hi *= amplifier;
    }
  }
  const double from_min = r.qmin - lo / scale, from_max = r.qmax - hi / scale;
  const double min_error = std::abs(r.qmin) - std::abs(lo / scale);
  const double max_error = std::abs(r.qmax) - std::abs(hi / scale);
  const double initial = min_error < max_error ? from_min : from_max;
  const double bounded = std::min(std::max(initial, static_cast<double>(r.qmin)), static_cast<double>(r.qmax));
  return {static_cast<float>(scale), rne(bounded)};
}

// ONNX DynamicQuantizeLinear for asymmetric uint8; else onnxruntime's quant_utils.compute_scale_zp, in double.
QParams choose_onnx(const QRange& r, float lo, float hi) {
  if (!r.is_signed && !r.symmetric) {
    const float steps = static_cast<float>(r.qmax - r.qmin);
    float scale = (hi - lo) / steps;
    if (!std::isfinite(scale)) scale = hi / steps - lo / steps;
    if (scale < kMinNormal) return {1.0f, r.qmin};
    const float initial = static_cast<float>(r.qmin) - lo / scale;
    const float bounded = std::min(std::max(initial, static_cast<float>(r.qmin)), static_cast<float>(r.qmax));
    return {scale, rne(bounded)};
  }
  double rmin = lo, rmax = hi;
  if (r.symmetric) {
    rmax = std::max(-rmin, rmax);
    rmin = -rmax;
  }
  const double scale = (rmax - rmin) / (r.qmax - r.qmin);
  if (scale < kMinNormal) return {1.0f, clamp(0, r.qmin, r.qmax)};
  const int32_t zero_point = r.symmetric ? rne((r.qmin + r.qmax) / 2.0) : rne(r.qmin - rmin / scale);
  return {static_cast<float>(scale), clamp(zero_point, r.qmin, r.qmax)};
}

}  // namespace

QParams choose_qparams(const QRange& range, float lo, float hi, bool empty) {
  switch (range.numerics) {
    case Numerics::torch:
      return choose_torch(range, lo, hi, empty);
    case Numerics::torch_dynamic:
      return choose_torch_dynamic(range, lo, hi);
    case Numerics::onnx:
      return choose_onnx(range, lo, hi);
    default:
      return choose_qgemm(range, lo, hi);
  }
}

}  // namespace qgemm
