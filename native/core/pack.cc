#include "core/pack.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "core/fp_env.h"
#include "core/packed_arrays.h"
#include "core/thread_pool.h"

namespace qgemm {
namespace {

// Packing fewer codes costs less than waking another thread.
constexpr size_t kSerialCodes = 64 * 1024;

// Owns the arrays of weights that we packed ourselves.
struct PackedMemory {
  AlignedBuffer panels, columns;
};

struct CodesWork {
  const uint8_t* codes;
  uint8_t flip;  // 0x80 makes uint8 codes int8
  WeightLayout layout;
  size_t n, k;
  int8_t* panels;
  int32_t* column_sums;
};

// Four neighbours of a row are one group of the panel: the row is read along k, four codes at a time.
void store_row_codes(const uint8_t* in, uint8_t flip, size_t k, int8_t* out, int32_t* column_sum) {
  const uint32_t flips = 0x01010101u * flip;
  size_t i = 0;
  for (; i + 4 <= k; i += 4) {
    uint32_t group;
    memcpy(&group, in + i, 4);
    group ^= flips;
    memcpy(out + i * kPanelColumns, &group, 4);
  }
  for (; i < k; ++i) out[i / 4 * (kPanelColumns * 4) + i % 4] = static_cast<int8_t>(in[i] ^ flip);
  uint32_t sum = 0;
  for (size_t j = 0; j < k; ++j) sum += static_cast<uint32_t>(static_cast<int32_t>(static_cast<int8_t>(in[j] ^ flip)));
  *column_sum = static_cast<int32_t>(sum);
}

void store_panel(void* context, size_t panel) {
  const CodesWork& work = *static_cast<const CodesWork*>(context);
  const size_t n0 = panel * kPanelColumns;
  const size_t columns = work.n - n0 < kPanelColumns ? work.n - n0 : kPanelColumns;
  const size_t stride = round_up(work.k, kPaddedK) * kPanelColumns;
  int8_t* out = work.panels + panel * stride;
  int32_t* sums = work.column_sums + n0;
  if (columns < kPanelColumns || work.k % kPaddedK != 0) memset(out, 0, stride);
  memset(sums, 0, kPanelColumns * sizeof(int32_t));
  if (work.layout.column_stride == 1) {
    for (size_t j = 0; j < columns; ++j) {
      store_row_codes(work.codes + (n0 + j) * work.layout.row_stride, work.flip, work.k, out + 4 * j, sums + j);
    }
    return;
  }
  // Along n, which is contiguous when W is stored [K, N].
  for (size_t k = 0; k < work.k; ++k) {
    const uint8_t* in = work.codes + n0 * work.layout.row_stride + k * work.layout.column_stride;
    int8_t* step = out + k / 4 * (kPanelColumns * 4) + k % 4;
    for (size_t j = 0; j < columns; ++j) {
      const int8_t code = static_cast<int8_t>(in[j * work.layout.row_stride] ^ work.flip);
      step[4 * j] = code;
      sums[j] = static_cast<int32_t>(static_cast<uint32_t>(sums[j]) + static_cast<uint32_t>(int32_t{code}));
    }
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

void pack_codes(const void* codes, bool codes_are_unsigned, WeightLayout layout, size_t n, size_t k, int8_t* panels,
                int32_t* column_sums) {
  CodesWork work{static_cast<const uint8_t*>(codes),
                 static_cast<uint8_t>(codes_are_unsigned ? 0x80 : 0),
                 layout,
                 n,
                 k,
                 panels,
                 column_sums};
  const size_t count = round_up(n, kPanelColumns) / kPanelColumns;
  if (n * k < kSerialCodes) {
    for (size_t panel = 0; panel < count; ++panel) store_panel(&work, panel);
  } else {
    ThreadPool::instance().parallel_for(count, store_panel, &work);
  }
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
  pack_codes(codes, codes_are_unsigned, layout, n, k, arrays.panels, arrays.column_sums);
  for (size_t row = 0; row < n; ++row) {
    arrays.scales[row] = scales[one ? 0 : row];
    if (asymmetric) arrays.zero_points[row] = (zero_points ? zero_points[one ? 0 : row] : 0) - shift;
  }
  return weights;
}

namespace {

struct UnpackWork {
  const PackedWeights& weights;
  float* out;
};

void unpack_panel(void* context, size_t index) {
  const auto& [weights, out] = *static_cast<const UnpackWork*>(context);
  const size_t end = std::min(weights.n, (index + 1) * kPanelColumns);
  for (size_t n = index * kPanelColumns; n < end; ++n) {
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

}  // namespace

void unpack_float32(const PackedWeights& weights, float* out) {
  if (weights.k == 0) return;  // then N may be anything: no memory bounds it
  UnpackWork work{weights, out};
  ThreadPool::instance().parallel_for(weights.padded_n() / kPanelColumns, unpack_panel, &work);
}

}  // namespace qgemm
