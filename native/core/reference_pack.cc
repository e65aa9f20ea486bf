#include <algorithm>
#include <cmath>

#include "core/reference.h"

namespace qgemm {
namespace reference {

void pack_rows(const PackRowsArgs& args) {
  for (size_t j = 0; j < kPanelColumns; ++j) {
    for (size_t k = 0; k < args.k; ++k) {
      const int32_t code = args.q[j * args.ld + k];
      args.panel[k / 4 * 4 * kPanelColumns + j * 4 + k % 4] = static_cast<int8_t>(code - 128);
    }
  }
}

void quantize_columns(const QuantizeColumnsArgs& args) {
  for (size_t j = 0; j < kPanelColumns; ++j) {
    args.column_sums[j] = 0;
    for (size_t k = 0; k < args.padded_k; ++k) {
      float t = 0.0f;
      if (j < args.n && k < args.k) t = args.x[k * args.ld + j] * args.factors[j];
      const float code = std::isnan(t) ? 0.0f : std::clamp(std::nearbyint(t), -127.0f, 127.0f);
      args.panel[k / 4 * 4 * kPanelColumns + j * 4 + k % 4] = static_cast<int8_t>(code);
      args.column_sums[j] += static_cast<int32_t>(code);
    }
  }
}

}  // namespace reference
}  // namespace qgemm
