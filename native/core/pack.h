#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/aligned_buffer.h"
#include "core/large_pairs.h"
#include "core/reuse_distance.h"
#include "core/status.h"
#include "kernels/kernel.h"

namespace qgemm {

enum class Scheme : uint32_t { int8 = 0, float32 = 1 };
enum class Granularity : uint32_t { per_channel = 0, per_tensor = 1 };

/// Where element [n, k] of a weight matrix lies: at n * row_stride + k * column_stride. A row-major [N, K] matrix has
/// strides (K, 1); one stored [K, N] has (1, N).
struct WeightLayout {
  size_t row_stride;
  size_t column_stride;
};

/// Weights W[N, K] in the one layout that every kernel reads (docs/file-format.md). Immutable once made, and shared: by
/// threads, by JavaScript handles, by jobs in flight.
///
///   int8:    panels [Np/32, Kp/4, 32, 4] int8, P[n/32, k/4, n%32, k%4] = W[n, k]; Np = N up to 32, Kp = K up to 64
///   float32: panels [Np/32, K, 32] float32,    P[n/32, k, n%32] = W[n, k]
/// Everything outside W is zero. `scales`, `column_sums`, `zero_points` are [Np] (int8 only; zero_points null when
/// symmetric). All arrays are 64-byte aligned.
struct PackedWeights {
  Scheme scheme = Scheme::int8;
  RowRange activations = RowRange::asymmetric;
  size_t n = 0, k = 0;
  const void* panels = nullptr;
  const float* scales = nullptr;
  const int32_t* column_sums = nullptr;
  const int32_t* zero_points = nullptr;
  std::shared_ptr<void> owner;      // what keeps the arrays alive: a buffer of ours or a file mapping
  LargePairsCache large_pairs;      // int8 only, for kernels that add in 16 bits
  alignas(64) ReuseDistance reuse;  // written by each call: no line that helpers read

  size_t padded_n() const { return round_up(n, kPanelColumns); }
  size_t padded_k() const { return scheme == Scheme::float32 ? k : round_up(k, kPaddedK); }
  size_t element_size() const { return scheme == Scheme::float32 ? 4 : 1; }
  size_t panels_bytes() const { return padded_n() * padded_k() * element_size(); }
  /// All arrays together.
  size_t byte_length() const;
  /// Bytes between panels for int8, elements between panels for float32.
  size_t panel_stride() const { return padded_k() * kPanelColumns; }
};

using WeightsPtr = std::shared_ptr<const PackedWeights>;

/// Bytes of the panels for these sizes. False when they do not fit size_t.
[[nodiscard]] bool packed_size(Scheme scheme, size_t n, size_t k, size_t* bytes);

/// Writes the int8 panels [Np/32, Kp/4, 32, 4] and column sums [Np] of n rows of codes, padding included, on the pool.
void pack_codes(const void* codes, bool codes_are_unsigned, WeightLayout layout, size_t n, size_t k, int8_t* panels,
                int32_t* column_sums);

/// Packs codes that exist already. `scales` and `zero_points` (may be null) hold one value per row, or one for all
/// where `granularity` is per_tensor. Codes of a uint8 matrix are passed with `codes_are_unsigned`: they are stored
/// minus 128, as are their zero points, which is the same number. Null when there is not enough memory.
WeightsPtr pack_int8(const void* codes, bool codes_are_unsigned, WeightLayout layout, size_t n, size_t k,
                     const float* scales, const int32_t* zero_points, Granularity granularity, RowRange activations);

struct QuantizeWeightsOptions {
  Scheme scheme = Scheme::int8;
  Granularity granularity = Granularity::per_channel;
  bool symmetric = true;
  RowRange activations = RowRange::asymmetric;
};

/// Quantizes float32 weights and packs them (Scheme::float32: packs only). Symmetric:
///   scale = max(amax/127, 2^-126), q = clamp(rne(w * (1/scale)), -127, 127)
/// asymmetric: as activations, with codes moved by -128 into int8. Non-finite values as in docs/quantization.md; with
/// `reject_non_finite` they give Status::non_finite.
Status quantize_weights(const float* w, WeightLayout layout, size_t n, size_t k, const QuantizeWeightsOptions& options,
                        bool reject_non_finite, WeightsPtr* out);

/// Writes W[n, k] as float32, row-major: dequantized for int8, a copy for float32.
void unpack_float32(const PackedWeights& weights, float* out);

}  // namespace qgemm
