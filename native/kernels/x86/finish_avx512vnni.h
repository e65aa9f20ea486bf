// Results made of sums that are still in registers, for most layers' whole tiles. Include after epilogue.inc.
#pragma once
#include "kernels/kernel.h"
#include "kernels/rows_of.h"
#include "kernels/vec/avx512.h"
#include "kernels/x86/whole_lines_avx512.h"

namespace qgemm {
namespace {  // internal linkage: each file has its own flags

// A zero point times a column sum is one vpmaddwd, where vpmulld would be two instructions on one port: the sum is
// low + 128 * high with 16 bits each, which is true of kLargestSplitK codes, and the zero point comes as z and 128 * z.
constexpr size_t kLargestSplitK = 32768;

static inline I32 split_column_sums(I32 sums) {
  const I32 low = i32_and(sums, i32_set1(127)), high = i32_shl<9>(sums);
  return _mm512_mask_blend_epi16(0xaaaaaaaa, low, high);
}

static inline I32 split_zero_points(I32 z) { return i32_add(i32_and(z, i32_set1(0xffff)), i32_shl<23>(z)); }

// What the tiles of a call share that are finished in registers: whole vectors of columns, plain but for a residual and
// an activation.
struct Plain {
  static constexpr int kMaxVectors = 4, kMaxRows = 32;
  bool any;
  LineShift shift;
  alignas(64) int32_t zero_points[kMaxRows];  // negative ones, split

  explicit Plain(const GemmU8S8Args* args) : any(args->k <= kLargestSplitK && has_plain_sums(args)) {
    if (!any) return;
    for (size_t i = 0; i < args->m; i += kLanes) {
      const I32 z = i32_load_n(args->a_zero_points + i, smaller(args->m - i, kLanes));
      i32_store(zero_points + i, split_zero_points(i32_sub(i32_set1(0), z)));
    }
    shift = line_shift(args);
  }
};

// Sums to begin with: what zero points of rows take away. At the end it would keep the units waiting that multiply;
// here they are still at the tile before.
template <int kRows, int kVectors>
static QGEMM_ALWAYS_INLINE void begin_sums(__m512i (&sums)[kRows][kVectors], const GemmU8S8Args* args, size_t row,
                                           const Plain& plain) {
  I32 column_sums[kVectors];
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v) column_sums[v] = split_column_sums(i32_load(args->b_column_sums + v * kLanes));
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
    const I32 zero_point = i32_set1(plain.zero_points[row + i]);
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) sums[i][v] = _mm512_madd_epi16(zero_point, column_sums[v]);
  }
}

alignas(64) static const float kNoBias[Plain::kMaxVectors * kLanes] = {};

// Results before the activation, in place of the sums. Columns are the outer loop: what belongs to a column is loaded
// once for all rows, which is half of the time that this takes (Zen 5). By recursion: gcc 12 does not unroll so large a
// loop, and then puts all sums in memory.
template <int kVector, int kRows, int kVectors>
static QGEMM_ALWAYS_INLINE void scale_sums(__m512i (&sums)[kRows][kVectors], const GemmU8S8Args* args, size_t row) {
  if constexpr (kVector < kVectors) {
    const float* const biases = args->epilogue.bias != nullptr ? args->epilogue.bias : kNoBias;
    const F32 b_scales = f32_loaded(f32_load(args->b_scales + kVector * kLanes));
    const F32 bias = f32_loaded(f32_load(biases + kVector * kLanes));
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
      I32& sum = sums[i][kVector];
      const F32 scale = f32_mul(f32_set1(args->a_scales[row + i]), b_scales);
      sum = f32_as_i32(f32_fma(i32_to_f32(sum), scale, bias));
    }
    scale_sums<kVector + 1>(sums, args, row);
  }
}

// One row of results: relu, then residual.
template <int kVectors>
static QGEMM_ALWAYS_INLINE void store_results(F32 (&y)[kVectors], const GemmU8S8Args* args, size_t row,
                                              const LineShift& shift) {
  if (args->epilogue.activation == Activation::relu) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) y[v] = relu(y[v]);
  }
  if (args->epilogue.residual != nullptr) {
    const float* residual = args->epilogue.residual + row * args->epilogue.ld_residual;
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) y[v] = f32_add(y[v], f32_load(residual + v * kLanes));
  }
  store_row(static_cast<float*>(args->c) + row * args->ldc, y, shift);
}

template <int kRow, int kRows, int kVectors>
static QGEMM_ALWAYS_INLINE void store_rows(const __m512i (&results)[kRows][kVectors], const GemmU8S8Args* args,
                                           size_t row, const Plain& plain) {
  if constexpr (kRow < kRows) {
    F32 y[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) y[v] = i32_as_f32(results[kRow][v]);
    store_results(y, args, row, plain.shift);
    store_rows<kRow + 1>(results, args, row + 1, plain);
  }
}

// Activations that take long, of results [rows, 16 * kVectors] that have left the registers for that.
template <int kVectors>
static QGEMM_NOINLINE void activate_and_store(int32_t* results, size_t rows, const GemmU8S8Args* args, size_t row,
                                              const LineShift* shift) {
  activate_vectors(args->epilogue.activation, results, rows * kVectors);
  for (size_t i = 0; i < rows; ++i, results += kVectors * kLanes) {
    F32 y[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) y[v] = i32_as_f32(i32_load(results + v * kLanes));
    store_results(y, args, row + i, *shift);
  }
}

// What epilogue_u8s8 does, with sums that are still in registers: some percent where K is small. For whole tiles that
// leave it registers.
template <int kRows, int kVectors>
static QGEMM_ALWAYS_INLINE void finish_in_registers(__m512i (&sums)[kRows][kVectors], const GemmU8S8Args* args,
                                                    size_t row, const Plain& plain) {
  scale_sums<0>(sums, args, row);
  if (!takes_long(args->epilogue.activation)) return store_rows<0>(sums, args, row, plain);
  alignas(64) int32_t results[kRows * kVectors * kLanes];
#pragma GCC unroll 32
  for (int i = 0; i < kRows * kVectors; ++i) i32_store(results + i * kLanes, sums[i / kVectors][i % kVectors]);
  activate_and_store<kVectors>(results, kRows, args, row, &plain.shift);
}

}  // namespace
}  // namespace qgemm
