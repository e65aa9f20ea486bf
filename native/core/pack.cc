#include "core/pack.h"

#include <cstring>
#include <new>

#include "core/fp_env.h"
#include "core/packed_arrays.h"

namespace qgemm {
namespace {

// Owns the arrays of weights that we packed ourselves.
struct PackedMemory {
  AlignedBuffer panels, columns;
};

// Existing codes, `flip` (0x80 for uint8, 0 for int8) making them int8. Goes through panels in their own order, so that
// writes are sequential and reads run along whichever of n and k is contiguous.
void store_codes(const uint8_t* codes, uint8_t flip, WeightLayout layout, const PackedWeights& weights,
                 const PackedArrays& arrays) {
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

}  // namespace

bool allocate_packed(PackedWeights* weights, bool with_zero_points, PackedArrays* arrays) {
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
  PackedArrays arrays;
  if (!allocate_packed(weights.get(), asymmetric, &arrays)) return nullptr;
  store_codes(static_cast<const uint8_t*>(codes), codes_are_unsigned ? 0x80 : 0, layout, *weights, arrays);
  for (size_t row = 0; row < n; ++row) {
    arrays.scales[row] = scales[one ? 0 : row];
    if (asymmetric) arrays.zero_points[row] = (zero_points ? zero_points[one ? 0 : row] : 0) - shift;
  }
  return weights;
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
