// The contract between the driver (native/core) and the micro-kernels. Kernels know no memory, no threads, no STL:
// they read and write what their arguments point at, and nothing else. Kernel files include only this header, the
// intrinsics, and headers whose functions are `static inline`: an inline function with external linkage, compiled here
// with AVX-512 flags, could replace the baseline copy of the same function at link time (scripts/check-kernels.mjs).
#pragma once
#include <stddef.h>
#include <stdint.h>

namespace qgemm {

/// CPU features that kernels may ask for, as a bit set. Order is age within one architecture.
enum Feature : uint32_t {
  kScalar = 0,
  kAvx2 = 1u << 0,        // AVX2 + FMA
  kAvxVnni = 1u << 1,     // vpdpbusd with VEX encoding, 256 bits
  kAvx512 = 1u << 2,      // AVX-512 F, BW, VL, DQ
  kAvx512Vnni = 1u << 3,  // vpdpbusd, 512 bits
  kAmxInt8 = 1u << 4,
  kNeon = 1u << 5,
  kNeonDot = 1u << 6,
  kNeonI8mm = 1u << 7,
};

enum class Activation : uint32_t { none = 0, relu = 1, gelu = 2, gelu_tanh = 3, silu = 4 };

/// Columns of one panel, and the multiples that N and K are padded to (docs/file-format.md).
enum : size_t { kPanelColumns = 32, kPaddedK = 64 };

/// 8-bit codes instead of float32 results: q = clamp(rne(y * factor) + zero_point, qmin, qmax); NaN gives zero_point.
/// Int8 and uint8 differ in the bounds only.
struct OutputCodes {
  float factor;           // 1/scale
  float lowest, highest;  // qmin and qmax less zero_point
  int32_t zero_point;
};

/// What happens to a finished tile of sums. `bias`, `residual` may be null. Column arrays hold at least n rounded up to
/// 32 values; all arrays start at the tile's first row or column.
struct EpilogueArgs {
  const float* bias;
  const float* residual;  // [m, n] row-major, added after the activation
  size_t ld_residual;     // elements between rows
  Activation activation;
  const OutputCodes* output;  // c is then bytes; null: c is float32
};

/// Kernels whose instructions add two products in 16 bits, where they saturate, keep activations within a window of
/// codes (gemm_u8s8f32_avx2.cc). Only pairs of weights of a larger sum than kMaxPairSum can then leave 16 bits.
enum : int { kActivationWindow = 190, kMaxPairSum = 32767 / kActivationWindow };

/// Up to so many rows of depth k, cutting some codes of each off costs less than splitting each panel of weights does
/// (gemm_u8s8f32_clamped_avx2.cc). Long columns have fewer large pairs, and long rows fewer codes outside of the
/// window, because both are scaled by their largest value.
static inline size_t rows_for_window(size_t k) { return 32 + k / 64; }

/// Large pairs are listed for this many steps of k and columns at a time.
enum : size_t { kPairDepth = 768, kPairColumns = 4 * kPanelColumns };

/// Weights k and k + 1 of one column, k even, whose sum is above kMaxPairSum or below its negative.
struct LargePair {
  uint16_t column;  // of the matrix, modulo 2^16
  int8_t weights[2];
};

/// The large pairs of kPairDepth steps of k and kPairColumns columns, in the order of k.
struct LargePairBlock {
  uint8_t limits[kPairDepth / 2];  // [k/2]: activations up to this one keep all products of k and k + 1 within 16 bits
  uint16_t ends[kPairDepth / 2];   // [k/2]: pairs up to and with k, counted from `start`
  uint32_t start;                  // in LargePairs::pairs
};

/// All large pairs of a matrix; blocks are [k / kPairDepth][groups], ragged at both ends.
struct LargePairs {
  const LargePair* pairs;
  const LargePairBlock* blocks;
  size_t groups;  // of kPairColumns columns
};

/// Memory for kernels that arrange many rows before they multiply them (wants_scratch in core/dispatch.h). Without it
/// they are slower.
enum : size_t { kGemmScratchBytes = size_t{9} << 18 };

/// One output tile: C[m, n] = epilogue(A[m, k] . B[k, n]) with A uint8 rows and B int8 panels. Kernels of kAmxInt8 take
/// a whole block of any size instead, and cut it themselves.
///
///   t = acc - a_zero_point[m] * column_sum[n] - b_zero_point[n] * a_row_sum[m] + k * a_zero_point[m] * b_zero_point[n]
///   (modulo 2^32)
///   float32 output:  y = fma(float(t), a_scale[m] * b_scale[n], bias[n]); activation; residual
///   int32 output (a_scales == nullptr):  t itself; a_zero_points may then be null too, meaning 0
struct GemmU8S8Args {
  size_t m;                       // rows, 1..mr
  size_t n;                       // columns, 1..nr (more where `next` is null and takes_many_columns): these are stored
  size_t k;                       // padded depth (kernel_depth in core/dispatch.h); a is 0 from logical_k on
  const uint8_t* a;               // [m, k]
  size_t lda;                     // bytes between rows of a
  const int8_t* b;                // first panel: [k/4, 32, 4]
  size_t panel_stride;            // bytes between panels
  const int8_t* next;             // null, or a panel that is wanted next: a kernel may ask for it meanwhile
  bool next_half;                 // only every other cache line of it
  size_t next_lines;              // not 0: only so many cache lines (1, or pairs) from there in each 16 steps of k
  bool b_is_far;                  // b does not come from the nearer caches: asking for the next weights early pays
  size_t ask_ahead;               // not 0: asking for bytes of b so many bytes before they are read pays here
  bool one_stream;                // of few rows: reading panels one after the other pays, not several at once
  const LargePairs* large_pairs;  // of the matrix of b; null where nobody has looked for them
  size_t panel;                   // the matrix's panel that b is: large_pairs counts from its first one
  void* c;                        // float32, int32 or 8-bit codes [m, n]
  size_t ldc;                     // elements between rows of c
  bool c_is_far;                  // asking for the lines of c before they are written pays
  bool whole_lines;               // storing float32 rows by whole cache lines, whose parts come from two vectors, pays
  const float* a_scales;
  const int32_t* a_zero_points;
  const int32_t* a_row_sums;  // null unless b_zero_points is given
  const float* b_scales;
  const int32_t* b_column_sums;  // over the whole depth; never null
  const int32_t* b_zero_points;  // null for symmetric weights
  uint32_t logical_k;            // unpadded K, in (k - 64, k]
  void* scratch;                 // null, or kGemmScratchBytes at a cache line, for kernels that want it
  EpilogueArgs epilogue;
};
using GemmU8S8Fn = void (*)(const GemmU8S8Args*);

/// One output tile in float32. A is packed [k, lda], one value of each row after the other; kernels that take rows as
/// they lie (core/gemm_f32.h) also read A [m, k]. One accumulator per output, from +0, one fma per k in ascending
/// order, then bias, activation, residual.
///
/// Kernels that can pause (core/gemm_f32.h) also take a tile some steps of k at a time: with `pause` they leave the
/// accumulators in `sums` and C alone, with `resume` they start from there. Others are never asked to.
struct GemmF32Args {
  size_t m, n, k;  // k is not padded
  const float* a;
  size_t lda;           // elements between steps of k: at least m where A is packed, else 1
  size_t row_stride;    // elements between rows of A: 1 where it is packed
  const float* b;       // first panel: [k, 32]
  size_t panel_stride;  // elements between panels
  void* c;              // float32 or 8-bit codes [m, n]
  size_t ldc;
  EpilogueArgs epilogue;
  float* sums;  // [m, 32], aligned to 64 bytes
  bool pause, resume;
  bool ask_ahead;       // asking for bytes of b some steps before they are read pays here
  bool b_is_far;        // b comes from memory, and nobody asks for it: tiles that can pause do so themselves
  bool next_all;        // both cache lines of a step of `next`, not one
  const char* next;     // null, or what is wanted next: a kernel that can pause asks for it meanwhile, in four places
  size_t next_quarter;  // bytes between these
};
using GemmF32Fn = void (*)(const GemmF32Args*);

enum class RowRange : uint32_t { asymmetric = 0, symmetric = 1 };

/// What there is to know of a row before its values become codes.
struct RowScan {
  float lo, hi;     // range of the finite values, 0 included
  bool non_finite;  // the row holds NaN or an infinity
};

/// Quantizes one row of activations to uint8 (docs/quantization.md, "Activations").
///
///   asymmetric: lo = min(0, min x), hi = max(0, max x); scale = max(hi/255 - lo/255, 2^-126);
///               zp = clamp(rne(-lo * (1/scale)), 0, 255); q = clamp(rne(x * (1/scale)) + zp, 0, 255)
///   symmetric:  scale = max(amax/127, 2^-126); q = clamp(rne(x * (1/scale)), -127, 127) + 128; zp = 128
///
/// Ranges are over the finite values; +Inf gives the largest code, -Inf the smallest, NaN the zero point.
struct QuantizeRowArgs {
  const float* x;  // [k]
  size_t k;
  size_t padded_k;  // q[k..padded_k) is written with 0
  RowRange range;
  const float* fixed_range;  // [lo, hi] with lo <= 0 <= hi to use instead of the row's own; null: find it
  bool want_row_sum;
  const float* next;   // null, or a row [k] that is quantized next: it is looked at meanwhile
  const float* later;  // null, or a row [k] after `next` or x: it may be asked for
  bool scanned;        // x was `next` before: `scan` holds what was found
  RowScan scan;        // in, if `scanned`; out, if `next`: of that row
  uint8_t* q;          // has room for k rounded up to 64
  float scale;         // out
  int32_t zero_point;  // out
  int32_t row_sum;     // out: sum of q[0..k), if wanted
  bool non_finite;     // out: the row holds NaN or an infinity
};
using QuantizeRowFn = void (*)(QuantizeRowArgs*);

/// A rectangle of a float32 tensor or of its 8-bit codes: `rows` rows of `columns` contiguous elements. With
/// `per_column` the parameter arrays hold one value per column, otherwise one value for the whole rectangle.
struct Rectangle {
  size_t rows, columns;
  size_t ld;  // elements between rows
  bool per_column;
};

/// lo = min(lo, x), hi = max(hi, x) over the finite values of x; the caller sets both to 0 or less, 0 or more, before.
struct MinMaxArgs {
  Rectangle shape;
  const float* x;
  float* lo;
  float* hi;
  bool non_finite;  // out: x holds NaN or an infinity
};
using MinMaxFn = void (*)(MinMaxArgs*);

/// q = clamp(rne(x * factor), lowest, highest) + zero_point, stored as one byte (int8 and uint8 alike); x / factor with
/// `divide`. NaN gives zero_point. `lowest` and `highest` are integers within [-255, 255]: qmin and qmax less
/// zero_point.
struct QuantizeArgs {
  Rectangle shape;
  const float* x;
  uint8_t* q;
  bool divide;
  const float* factor;  // 1/scale, or scale with `divide`
  const float* lowest;
  const float* highest;
  const int32_t* zero_point;
};
using QuantizeFn = void (*)(const QuantizeArgs*);

/// x = float(q - zero_point) * scale. Codes are read as uint8 after an exclusive or with `flip`: int8 codes pass 0x80
/// and zero points moved by +128.
struct DequantizeArgs {
  Rectangle shape;
  const uint8_t* q;
  uint8_t flip;
  float* x;
  const float* scale;
  const int32_t* zero_point;
};
using DequantizeFn = void (*)(const DequantizeArgs*);

/// Arranges 32 rows of uint8 codes around 128, each along k, as one panel: panel[k/4, j, k%4] = q[j][k] - 128.
struct PackRowsArgs {
  const uint8_t* q;  // [32, k]
  size_t ld;         // bytes between rows
  size_t k;          // a multiple of 64
  int8_t* panel;     // [k/4, 32, 4]
};
using PackRowsFn = void (*)(const PackRowsArgs*);

/// Quantizes columns of a float32 matrix to int8 and arranges them as one panel:
///   panel[k/4, j, k%4] = clamp(rne(x[k][j] * factor[j]), -127, 127), NaN gives 0; column_sums[j] = sum over k of that
/// What lies beyond n columns and k rows is 0.
struct QuantizeColumnsArgs {
  const float* x;  // [k, n]
  size_t ld;       // elements between rows
  size_t k, padded_k;
  size_t n;              // 1..32
  const float* factors;  // [32], 1/scale
  int8_t* panel;         // [padded_k/4, 32, 4]
  int32_t* column_sums;  // [32]
};
using QuantizeColumnsFn = void (*)(const QuantizeColumnsArgs*);

/// One line of kernels.inc.
template <typename Fn>
struct Kernel {
  const char* name;
  const char* isa;
  uint32_t features;  // all of these must be present
  size_t mr, nr, kr;
  Fn run;
};

}  // namespace qgemm
