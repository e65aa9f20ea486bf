#include "core/dispatch.h"
#include "core/gemm.h"
#include "core/tiling.h"

namespace qgemm {

Status matmul_integer(const void* a, bool a_signed, const void* b, bool b_signed, size_t m, size_t n, size_t k,
                      int32_t a_zero_point, int32_t b_zero_point, int32_t* c) {
  if (m == 0 || n == 0) return Status::ok;
  const float unused_scale = 1.0f;
  const WeightsPtr packed = pack_int8(b, !b_signed, {1, n}, n, k, &unused_scale, &b_zero_point, Granularity::per_tensor,
                                      RowRange::asymmetric);
  if (packed == nullptr) return Status::out_of_memory;
  const PackedWeights& w = *packed;
  const size_t lda = code_row_stride(k);
  size_t codes_bytes;
  AlignedBuffer codes, per_row;
  if (!checked_multiply(m, lda, &codes_bytes) || !codes.allocate(codes_bytes) || m > SIZE_MAX / 16 ||
      !per_row.allocate(m * 8)) {
    return Status::out_of_memory;
  }
  int32_t* row_sums = per_row.as<int32_t>();
  int32_t* zero_points = row_sums + m;
  copy_codes(a, a_signed, m, k, lda, codes.as<uint8_t>(), row_sums);
  for (size_t row = 0; row < m; ++row) zero_points[row] = a_zero_point + (a_signed ? 128 : 0);

  const auto& kernel = choose_gemm_u8s8f32(dispatch_config(), m);
  const Tiling tiling = make_tiling(
      {m, n, w.padded_k(), kernel.mr, kernel.nr, lda, w.panels_bytes(), blocks_of(kernel), row_shares(kernel, m, k)});
  const auto tile = [&](size_t row, size_t rows, size_t col, size_t columns) {
    GemmU8S8Args args = {};
    args.m = rows;
    args.n = columns;
    args.k = kernel_depth(kernel, w.k);
    args.a = codes.as<uint8_t>() + row * lda;
    args.lda = lda;
    args.b = static_cast<const int8_t*>(w.panels) + col / kPanelColumns * w.panel_stride() + col % kPanelColumns * 4;
    args.panel_stride = w.panel_stride();
    args.c = c + row * n + col;
    args.ldc = n;
    args.a_zero_points = zero_points + row;
    args.a_row_sums = row_sums + row;
    args.b_column_sums = w.column_sums + col;
    args.b_zero_points = w.zero_points ? w.zero_points + col : nullptr;
    args.logical_k = static_cast<uint32_t>(k);
    args.scratch = scratch_for(kernel);
    kernel.run(&args);
  };
  for_each_block(tiling, nullptr, [&](const Block& block, size_t) { for_each_tile(tiling, block, tile); });
  return Status::ok;
}

}  // namespace qgemm
