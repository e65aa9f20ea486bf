#pragma once
#include <cstddef>
#include <cstdint>

#include "core/aligned_buffer.h"
#include "core/cpu.h"
#include "core/pack.h"
#include "core/status.h"

namespace qgemm {

/// How the inputs of a layer become what kernels read. Layers that agree in everything but `row_sums` can share rows.
struct InputScheme {
  Scheme weights = Scheme::int8;  // float32: rows stay float32
  size_t k = 0;
  RowRange range = RowRange::asymmetric;  // dynamic: each row has a scale and zero point of its own
  bool is_static = false;                 // one scale and zero point for all rows, given
  float scale = 1.0f;
  int32_t zero_point = 0;  // of uint8 codes; int8 codes are the same less 128
  bool row_sums = false;   // wanted by weights with zero points

  bool same_rows(const InputScheme& other) const {
    return weights == other.weights && k == other.k && range == other.range && is_static == other.is_static &&
           scale == other.scale && zero_point == other.zero_point;
  }
};

/// The scheme that weights ask for when nothing else is said: dynamic.
InputScheme dynamic_input(const PackedWeights& weights);

/// Rows that were quantized before: codes [m, K] with scales and zero points, one each in all or one per row.
struct QuantizedRows {
  const void* codes = nullptr;
  bool is_signed = false;
  bool per_row = false;
  const float* scales = nullptr;
  const int32_t* zero_points = nullptr;
};

/// What a layer is given: float32 rows, or rows of codes where `codes` is set.
struct Input {
  const float* x = nullptr;
  QuantizedRows quantized;
};

/// Rows of activations as the driver hands them to kernels: a private copy of the caller's numbers, quantized for int8
/// weights, packed float32 for float32 weights. Making it is the only time the caller's memory is read, but for float32
/// rows that a synchronous call takes as they lie (Float32Gemm::takes_rows).
struct PreparedRows {
  size_t m = 0;
  size_t lda = 0;  // bytes between rows of q
  AlignedBuffer memory;
  uint8_t* q = nullptr;
  float* scales = nullptr;
  int32_t* zero_points = nullptr;
  int32_t* row_sums = nullptr;
  // Float32 weights: blocks [k, mr] for the kernel that multiplies m rows; or the caller's [m, k].
  const float* values = nullptr;
};

/// Rows up to this length lie in the level-1 cache two at a time: the next one is looked at while one is quantized.
constexpr size_t kShortRow = 2048;

/// Tells quantize_row which rows it may look at before their turn: `following` of them come after args->x. Of long rows
/// two do not fit the level-1 cache, and asking for one while another is there costs Zen 4 a third from memory.
inline void look_ahead(size_t following, QuantizeRowArgs* args) {
  const bool is_short = args->k <= kShortRow;
  const size_t scanned = is_short && following > 0 ? 1 : 0;
  args->next = scanned != 0 ? args->x + args->k : nullptr;
  const bool asks = (is_short || asking() != Asking::costs) && following > scanned;
  args->later = asks ? args->x + (scanned + 1) * args->k : nullptr;
}

/// Elements from which on several threads prepare rows together: below some ten microseconds of work it does not pay.
constexpr size_t kParallelPreparation = size_t{1} << 16;

/// Bytes of memory that preparing m rows takes; for float32, for a kernel of `mr` rows. False when they do not fit
/// size_t.
[[nodiscard]] bool prepared_bytes(const InputScheme& scheme, size_t m, size_t mr, size_t* bytes);

/// Reads x[m, K] and makes the private copy. `parallel` uses the pool; without it all runs on the calling thread.
/// Reuses `out`'s memory. Status::non_finite only when `reject_non_finite`. Codes are for int8 weights only.
Status prepare_rows(const InputScheme& scheme, const Input& input, size_t m, bool reject_non_finite, bool parallel,
                    PreparedRows* out);

/// m rows of k codes as uint8, `lda` bytes apart, zeros behind them: int8 codes move by 128, as their zero points do.
/// `row_sums` (may be null) gets the sum of each row.
void copy_codes(const void* codes, bool is_signed, size_t m, size_t k, size_t lda, uint8_t* q, int32_t* row_sums);

/// Bytes between rows of codes: K padded, and moved off multiples of 1024, where rows would compete for the same sets
/// of the level-1 cache.
size_t code_row_stride(size_t k);

}  // namespace qgemm
