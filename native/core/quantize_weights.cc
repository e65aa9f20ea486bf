#include <cmath>

#include "core/dispatch.h"
#include "core/fp_env.h"
#include "core/pack.h"
#include "core/packed_arrays.h"

namespace qgemm {
namespace {

// Quantized values as row quantization leaves them (uint8 around a zero point) become int8 by subtracting 128.
void store_row(const PackedWeights& weights, const PackedArrays& arrays, size_t n, const uint8_t* q) {
  int8_t* out = arrays.panels + panel_offset(n, 0, weights.panel_stride());
  int32_t sum = 0;
  for (size_t k = 0; k < weights.k; ++k) {
    const int32_t code = static_cast<int32_t>(q[k]) - 128;
    out[k / 4 * (kPanelColumns * 4) + k % 4] = static_cast<int8_t>(code);
    sum += code;
  }
  arrays.column_sums[n] = sum;
}

void pack_float_rows(const float* w, WeightLayout layout, const PackedWeights& weights, float* panels) {
  if (weights.k == 0) return;  // then N may be anything: no memory bounds it
  for (size_t n = 0; n < weights.n; ++n) {
    float* out = panels + n / kPanelColumns * weights.panel_stride() + n % kPanelColumns;
    const float* row = w + n * layout.row_stride;
    for (size_t k = 0; k < weights.k; ++k) out[k * kPanelColumns] = row[k * layout.column_stride];
  }
}

bool all_finite(const float* x, size_t count) {
  bool finite = true;
  for (size_t i = 0; i < count; ++i) finite &= std::isfinite(x[i]);
  return finite;
}

// Rows of W as contiguous float32, a block of rows at a time, so that matrices stored [K, N] are read in lines.
class RowGatherer {
 public:
  static constexpr size_t kBlock = 16;

  RowGatherer(const float* w, WeightLayout layout, size_t n, size_t k) : w_(w), layout_(layout), n_(n), k_(k) {}

  [[nodiscard]] bool allocate() {
    size_t bytes;
    return layout_.column_stride == 1 ||
           (checked_multiply(k_, kBlock * sizeof(float), &bytes) && block_.allocate(bytes));
  }

  const float* row(size_t n) {
    if (layout_.column_stride == 1) return w_ + n * layout_.row_stride;
    if (n % kBlock == 0) gather(n);
    return block_.as<float>() + n % kBlock * k_;
  }

 private:
  void gather(size_t first) {
    const size_t count = n_ - first < kBlock ? n_ - first : kBlock;
    float* out = block_.as<float>();
    for (size_t k = 0; k < k_; ++k) {
      const float* column = w_ + k * layout_.column_stride + first * layout_.row_stride;
      for (size_t i = 0; i < count; ++i) out[i * k_ + k] = column[i * layout_.row_stride];
    }
  }

  const float* w_;
  WeightLayout layout_;
  size_t n_, k_;
  AlignedBuffer block_;
};

// Per tensor: the range of all rows, as one row of the quantizer would see it.
Status quantize_per_tensor(RowGatherer* rows, const PackedWeights& weights, RowRange range, bool reject_non_finite,
                           const PackedArrays& arrays, uint8_t* q) {
  float ends[2] = {0.0f, 0.0f};
  for (size_t n = 0; n < weights.n; ++n) {
    const float* row = rows->row(n);
    for (size_t k = 0; k < weights.k; ++k) {
      if (!std::isfinite(row[k])) {
        if (reject_non_finite) return Status::non_finite;
        continue;
      }
      ends[0] = row[k] < ends[0] ? row[k] : ends[0];
      ends[1] = row[k] > ends[1] ? row[k] : ends[1];
    }
  }
  const auto& kernel = choose_quantize_row(dispatch_config());
  QuantizeRowArgs args = {};
  args.range = range;
  for (size_t n = 0; n < weights.n; ++n) {
    args.x = rows->row(n);
    args.k = args.padded_k = weights.k;
    args.q = q;
    args.fixed_range = ends;
    kernel.run(&args);
    store_row(weights, arrays, n, q);
    arrays.scales[n] = args.scale;
    if (arrays.zero_points) arrays.zero_points[n] = args.zero_point - 128;
  }
  return Status::ok;
}

Status quantize_per_channel(RowGatherer* rows, const PackedWeights& weights, RowRange range, bool reject_non_finite,
                            const PackedArrays& arrays, uint8_t* q) {
  const auto& kernel = choose_quantize_row(dispatch_config());
  QuantizeRowArgs args = {};
  args.range = range;
  for (size_t n = 0; n < weights.n; ++n) {
    args.x = rows->row(n);
    args.k = args.padded_k = weights.k;
    args.q = q;
    kernel.run(&args);
    if (args.non_finite && reject_non_finite) return Status::non_finite;
    store_row(weights, arrays, n, q);
    arrays.scales[n] = args.scale;
    if (arrays.zero_points) arrays.zero_points[n] = args.zero_point - 128;
  }
  return Status::ok;
}

}  // namespace

Status quantize_weights(const float* w, WeightLayout layout, size_t n, size_t k, const QuantizeWeightsOptions& options,
                        bool reject_non_finite, WeightsPtr* out) {
  const ScopedFpEnv fp_env;
  auto weights = std::make_shared<PackedWeights>();
  weights->scheme = options.scheme;
  weights->activations = options.activations;
  weights->n = n;
  weights->k = k;
  PackedArrays arrays;
  if (!allocate_packed(weights.get(), options.scheme == Scheme::int8 && !options.symmetric, &arrays)) {
    return Status::out_of_memory;
  }
  if (options.scheme == Scheme::float32) {
    if (reject_non_finite && !all_finite(w, n * k)) return Status::non_finite;
    pack_float_rows(w, layout, *weights, arrays.float_panels);
    *out = weights;
    return Status::ok;
  }
  RowGatherer rows(w, layout, n, k);
  AlignedBuffer codes;
  if (!rows.allocate() || !codes.allocate(round_up(k, 64))) return Status::out_of_memory;
  const RowRange range = options.symmetric ? RowRange::symmetric : RowRange::asymmetric;
  const auto quantize = options.granularity == Granularity::per_tensor ? quantize_per_tensor : quantize_per_channel;
  const Status status = quantize(&rows, *weights, range, reject_non_finite, arrays, codes.as<uint8_t>());
  if (status == Status::ok) *out = weights;
  return status;
}

}  // namespace qgemm
