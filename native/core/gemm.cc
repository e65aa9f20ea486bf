#include "core/gemm.h"

#include <algorithm>

#include "core/cpu.h"
#include "core/dispatch.h"
#include "core/fp_env.h"
#include "core/gemm_f32.h"
#include "core/tiling.h"

namespace qgemm {
namespace {

// Asks for the cache lines that a tile will be stored to, so that they come while it is computed. A tile stores the
// ends of some rows that lie pages apart, which no hardware prefetcher foresees.
void prefetch_tile(const void* c, size_t rows, size_t row_stride, size_t row_bytes) {
#if defined(__GNUC__)
  constexpr size_t kCacheLine = 64;
  for (size_t row = 0; row < rows; ++row) {
    const char* p = static_cast<const char*>(c) + row * row_stride;
    for (size_t byte = 0; byte < row_bytes; byte += kCacheLine) __builtin_prefetch(p + byte, 1);
  }
#else
  static_cast<void>(c), static_cast<void>(rows), static_cast<void>(row_stride), static_cast<void>(row_bytes);
#endif
}

Status gemm_int8(const PackedWeights& w, const PreparedRows& rows, const LinearEpilogue& epilogue, void* y,
                 const std::atomic<bool>* cancel) {
  const auto& kernel = choose_gemm_u8s8f32(dispatch_config(), rows.m, distance_of_weights(w.panels_bytes()));
  const Tiling tiling = make_tiling(rows.m, w.n, w.padded_k(), kernel.mr, kernel.nr, rows.lda);
  GemmU8S8Args whole = {};  // what all tiles share
  whole.k = w.padded_k();
  whole.lda = rows.lda;
  whole.panel_stride = w.panel_stride();
  whole.ldc = w.n;
  whole.logical_k = static_cast<uint32_t>(w.k);
  whole.epilogue.ld_residual = w.n;
  whole.epilogue.activation = epilogue.activation;
  whole.epilogue.output = epilogue.output;
  const size_t value_bytes = epilogue.output ? 1 : sizeof(float);
  const bool y_is_far = rows.m * w.n * value_bytes > cpu_caches().l2 / 2;
  const auto panel_of = [&](size_t col) {
    return static_cast<const int8_t*>(w.panels) + col / kPanelColumns * w.panel_stride();
  };
  // Weights that do not come from the nearer caches are asked for one panel ahead, by the last whole tile of a block of
  // rows: all its other tiles find theirs there.
  const bool ask_ahead = w.panels_bytes() > 4 * cpu_caches().l2;
  const size_t whole_rows = rows.m / kernel.mr * kernel.mr;
  const auto tile = [&](size_t row, size_t m, size_t col, size_t n) {
    GemmU8S8Args args = whole;
    args.m = m;
    args.n = n;
    args.a = rows.q + row * rows.lda;
    args.b = panel_of(col) + col % kPanelColumns * 4;
    args.c = static_cast<char*>(y) + (row * w.n + col) * value_bytes;
    args.a_scales = rows.scales + row;
    args.a_zero_points = rows.zero_points + row;
    args.a_row_sums = rows.row_sums + row;
    args.b_scales = w.scales + col;
    args.b_column_sums = w.column_sums + col;
    if (w.zero_points) args.b_zero_points = w.zero_points + col;
    if (epilogue.bias) args.epilogue.bias = epilogue.bias + col;
    if (epilogue.residual) args.epilogue.residual = epilogue.residual + row * w.n + col;
    const size_t last = std::min(whole_rows, (row / tiling.block_rows + 1) * tiling.block_rows);
    if (ask_ahead && row + kernel.mr == last && col + n < w.n) args.next = panel_of(col + n);
    if (y_is_far) prefetch_tile(args.c, m, w.n * value_bytes, n * value_bytes);
    kernel.run(&args);
  };
  return for_each_tile(tiling, cancel, tile) ? Status::ok : Status::cancelled;
}

}  // namespace

Status gemm(const PackedWeights& weights, const PreparedRows& rows, const LinearEpilogue& epilogue, void* y,
            const std::atomic<bool>* cancel) {
  if (rows.m == 0 || weights.n == 0) return Status::ok;
  const ScopedFpEnv fp_env;
  return weights.scheme == Scheme::float32 ? gemm_f32(weights, rows, epilogue, y, cancel)
                                           : gemm_int8(weights, rows, epilogue, y, cancel);
}

}  // namespace qgemm
