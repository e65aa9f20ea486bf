#pragma once
#include <cstdint>

namespace qgemm {

/// Whose formulas are followed (docs/quantization.md, "Modes").
enum class Numerics : uint32_t { qgemm = 0, torch = 1, torch_dynamic = 2, onnx = 3 };

/// What codes a range of numbers is mapped to. int8 codes are -128..127, uint8 codes 0..255; qmin < qmax lie in there.
struct QRange {
  Numerics numerics;
  bool is_signed;  // int8, else uint8
  bool symmetric;
  int32_t qmin, qmax;
  /// `torch`: qmin and qmax are the caller's own, which moves the symmetric zero point of uint8 from 128 to the middle.
  bool custom_range;
  float eps;  // smallest scale of `qgemm` and `torch`, a normal number
};

struct QParams {
  float scale;  // finite, > 0
  int32_t zero_point;
};

/// Scale and zero point for values in [lo, hi], lo <= 0 <= hi, both finite. `empty` says that there were no values.
QParams choose_qparams(const QRange& range, float lo, float hi, bool empty);

/// Whether codes are made from x / scale instead of x * (1/scale).
inline bool divides(Numerics numerics) { return numerics == Numerics::onnx; }

}  // namespace qgemm
