#include "core/pack.h"

#include <cmath>
#include <cstring>
#include <new>

#include "core/dispatch.h"
#include "core/fp_env.h"

namespace qgemm {
namespace {

// Owns the arrays of weights that we packed ourselves.
struct PackedMemory {
  AlignedBuffer panels, columns;
};

struct MutableArrays {
  int8_t* panels;
  float* float_panels;
  float* scales;
  int32_t* column_sums;
  int32_t* zero_points;
};

// Allocates and zeroes everything for `weights`, whose scheme, n and k are set.
bool allocate(PackedWeights* weights, bool with_zero_points, MutableArrays* arrays) {
  size_t bytes;
  if (!packed_size(weights->scheme, weights->n, weights->k, &bytes)) return false;
  auto* memory = new (std::nothrow) PackedMemory;
  if (memory == nullptr) return false;
  weights->owner.reset(memory);
  const size_t np = weights->padded_n();
  if (!memory->panels.allocate(bytes)) return false;
  memset(memory->panels.as<char>(), 0, bytes);
  *arrays = {memory->panels.as<int8_t>(), memory->panels.as<float>(), nullptr, nullptr, nullptr};
  weights->panels = arrays->panels;
  if (weights->scheme == Scheme::float32) return true;
  if (!memory->columns.allocate(3 * np * 4)) return false;
  memset(memory->columns.as<char>(), 0, 3 * np * 4);
  weights->scales = arrays->scales = memory->columns.as<float>();
  weights->column_sums = arrays->column_sums = memory->columns.as<int32_t>() + np;
  if (with_zero_points) weights->zero_points = arrays->zero_points = memory->columns.as<int32_t>() + 2 * np;
  return true;
}

// Byte offset of element [n, k] in int8 panels.
size_t panel_offset(size_t n, size_t k, size_t panel_stride) {
  return n / kPanelColumns * panel_stride + k / 4 * (kPanelColumns * 4) + n % kPanelColumns * 4 + k % 4;
}

// Quantized values as row quantization leaves them (uint8 around a zero point) become int8 by subtracting 128.
void store_row(const PackedWeights& weights, const MutableArrays& arrays, size_t n, const uint8_t* q) {
  int8_t* out = arrays.panels + panel_offset(n, 0, weights.panel_stride());
  int32_t sum = 0;
  for (size_t k = 0; k < weights.k; ++k) {
    const int32_t code = static_cast<int32_t>(q[k]) - 128;
    out[k / 4 * (kPanelColumns * 4) + k % 4] = static_cast<int8_t>(code);
    sum += code;
  }
  arrays.column_sums[n] = sum;
}

// Existing codes, `flip` (0x80 for uint8, 0 for int8) making them int8. Goes through panels in their own order, so that
// writes are sequential and reads run along whichever of n and k is contiguous.
void store_codes(const uint8_t* codes, uint8_t flip, WeightLayout layout, const PackedWeights& weights,
                 const MutableArrays& arrays) {
  for (size_t n0 = 0; n0 < weights.n; n0 += kPanelColumns) {
    const size_t columns = weights.n - n0 < kPanelColumns ? weights.n - n0 : kPanelColumns;
    uint32_t sums[kPanelColumns] = {0};
    int8_t* out = arrays.panels + panel_offset(n0, 0, weights.panel_stride());
    for (size_t k = 0; k < weights.k; ++k) {
      const uint8_t* in = codes + n0 * layout.row_stride + k * layout.column_stride;
      int8_t* step = out + k / 4 * (kPanelColumns * 4) + k % 4;
      for (size_t j = 0; j < columns; ++j) {
        const int8_t code = static_cast<int8_t>(in[j * layout.row_stride] ^ flip);
        step[4 * j] = code;
        sums[j] += static_cast<uint32_t>(code);
      }
    }
    for (size_t j = 0; j < columns; ++j) arrays.column_sums[n0 + j] = static_cast<int32_t>(sums[j]);
  }
}

void pack_float_rows(const float* w, WeightLayout layout, const PackedWeights& weights, float* panels) {
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
    return layout_.column_stride == 1 || (checked_multiply(k_, kBlock * sizeof(float), &bytes) && block_.allocate(bytes));
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
                           const MutableArrays& arrays, uint8_t* q) {
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
                            const MutableArrays& arrays, uint8_t* q) {
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

size_t PackedWeights::byte_length() const {
  if (scheme == Scheme::float32) return panels_bytes();
  return panels_bytes() + padded_n() * (zero_points ? 12 : 8);
}

bool packed_size(Scheme scheme, size_t n, size_t k, size_t* bytes) {
  if (n > SIZE_MAX - kPanelColumns || k > SIZE_MAX - kPaddedK) return false;
  const size_t padded_k = scheme == Scheme::float32 ? k : round_up(k, kPaddedK);
  size_t elements;
  return checked_multiply(round_up(n, kPanelColumns), padded_k, &elements) &&
         checked_multiply(elements, scheme == Scheme::float32 ? 4 : 1, bytes) && *bytes <= SIZE_MAX / 2;
}

WeightsPtr pack_int8(const void* codes, bool codes_are_unsigned, WeightLayout layout, size_t n, size_t k,
                     const float* scales, const int32_t* zero_points, Granularity granularity, RowRange activations) {
  auto weights = std::make_shared<PackedWeights>();
  weights->activations = activations;
  weights->n = n;
  weights->k = k;
  const int32_t shift = codes_are_unsigned ? 128 : 0;
  const bool one = granularity == Granularity::per_tensor;
  bool asymmetric = false;
  for (size_t i = 0; i < (one && n > 0 ? 1 : n); ++i) asymmetric |= (zero_points ? zero_points[i] : 0) != shift;
  MutableArrays arrays;
  if (!allocate(weights.get(), asymmetric, &arrays)) return nullptr;
  store_codes(static_cast<const uint8_t*>(codes), codes_are_unsigned ? 0x80 : 0, layout, *weights, arrays);
  for (size_t row = 0; row < n; ++row) {
    arrays.scales[row] = scales[one ? 0 : row];
    if (asymmetric) arrays.zero_points[row] = (zero_points ? zero_points[one ? 0 : row] : 0) - shift;
  }
  return weights;
}

Status quantize_weights(const float* w, WeightLayout layout, size_t n, size_t k, const QuantizeWeightsOptions& options,
                        bool reject_non_finite, WeightsPtr* out) {
  const ScopedFpEnv fp_env;
  auto weights = std::make_shared<PackedWeights>();
  weights->scheme = options.scheme;
  weights->activations = options.activations;
  weights->n = n;
  weights->k = k;
  MutableArrays arrays;
  if (!allocate(weights.get(), options.scheme == Scheme::int8 && !options.symmetric, &arrays)) {
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

void unpack_float32(const PackedWeights& weights, float* out) {
  const ScopedFpEnv fp_env;
  for (size_t n = 0; n < weights.n; ++n) {
    float* row = out + n * weights.k;
    if (weights.scheme == Scheme::float32) {
      const float* panel = static_cast<const float*>(weights.panels) + n / kPanelColumns * weights.panel_stride();
      for (size_t k = 0; k < weights.k; ++k) row[k] = panel[k * kPanelColumns + n % kPanelColumns];
      continue;
    }
    const int8_t* panels = static_cast<const int8_t*>(weights.panels);
    const int8_t* codes = panels + panel_offset(n, 0, weights.panel_stride());
    const int32_t zero_point = weights.zero_points ? weights.zero_points[n] : 0;
    for (size_t k = 0; k < weights.k; ++k) {
      const int32_t code = codes[k / 4 * (kPanelColumns * 4) + k % 4];
      row[k] = weights.scales[n] * static_cast<float>(code - zero_point);
    }
  }
}

}  // namespace qgemm
