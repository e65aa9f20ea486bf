// Results made of sums that are still in registers, for most layers' whole tiles. Include after epilogue.inc.
#pragma once
#include "kernels/kernel.h"
#include "kernels/vec/avx512.h"
#include "kernels/x86/whole_lines_avx512.h"

namespace qgemm {
namespace {  // internal linkage: each file has its own flags

// Sums of products of two pairs of int16, added to a sum modulo 2^32.
static inline void dot2(__m512i& sum, __m512i a, __m512i b) {
#if defined(__GNUC__) && !defined(__clang__)
  __asm__("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
#else
  sum = _mm512_dpwssd_epi32(sum, a, b);
#endif
}

// A zero point times a column sum is one dot2, where vpmulld would be two instructions on one port: the sum is
// low + 128 * high with 16 bits each, which is true of kLargestSplitK codes, and the zero point comes as z and 128 * z.
constexpr size_t kLargestSplitK = 32768;

static inline I32 split_column_sums(I32 sums) {
  const I32 low = i32_and(sums, i32_set1(127)), high = i32_shl<9>(sums);
  return _mm512_mask_blend_epi16(0xaaaaaaaa, low, high);
}

static inline int32_t split_zero_point(int32_t z) {
  return static_cast<int32_t>((static_cast<uint32_t>(z) & 0xffff) | static_cast<uint32_t>(z) << 23);
}

// What the tiles of a call share that are finished in registers: whole vectors of up to 64 columns, plain but for a
// residual and relu.
struct Plain {
  static constexpr int kMaxVectors = 4;
  bool any;
  LineShift shift;
  const float* bias;
  alignas(64) int32_t column_sums[kMaxVectors * kLanes];  // split
  alignas(64) float no_bias[kMaxVectors * kLanes];

  explicit Plain(const GemmU8S8Args* args)
      : any(args->n <= kMaxVectors * kLanes && args->k <= kLargestSplitK && has_plain_sums(args) &&
            (args->epilogue.activation == Activation::none || args->epilogue.activation == Activation::relu)) {
    if (!any) return;
    bias = args->epilogue.bias != nullptr ? args->epilogue.bias : no_bias;
    for (size_t j = 0; j < args->n; j += kLanes) {
      i32_store(column_sums + j, split_column_sums(i32_load(args->b_column_sums + j)));
      if (bias == no_bias) f32_store(no_bias + j, f32_set1(0.0f));
    }
    shift = line_shift(args);
  }
};

// What epilogue_u8s8 does, with sums that are still in registers: some percent where K is small. For whole tiles that
// leave it registers. Row by row by recursion: gcc 12 does not unroll so large a loop, and then puts all sums in
// memory.
template <int kRow, int kRows, int kVectors>
static QGEMM_ALWAYS_INLINE void finish_in_registers(__m512i (&sums)[kRows][kVectors], const GemmU8S8Args* args,
                                                    size_t row, const Plain& plain) {
  if constexpr (kRow < kRows) {
    const I32 zero_point = i32_set1(split_zero_point(-args->a_zero_points[row]));
    const F32 a_scale = f32_set1(args->a_scales[row]);
    F32 y[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      dot2(sums[kRow][v], zero_point, i32_load(plain.column_sums + v * kLanes));
      const F32 scale = f32_mul(a_scale, f32_load(args->b_scales + v * kLanes));
      y[v] = f32_fma(i32_to_f32(sums[kRow][v]), scale, f32_load(plain.bias + v * kLanes));
    }
    if (args->epilogue.activation == Activation::relu) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) y[v] = relu(y[v]);
    }
    if (args->epilogue.residual != nullptr) {
      const float* residual = args->epilogue.residual + row * args->epilogue.ld_residual;
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) y[v] = f32_add(y[v], f32_load(residual + v * kLanes));
    }
    store_row(static_cast<float*>(args->c) + row * args->ldc, y, plain.shift);
    finish_in_registers<kRow + 1>(sums, args, row + 1, plain);
  }
}

}  // namespace
}  // namespace qgemm
