#include "core/gemm_f32.h"

#include <cmath>

#include "core/dispatch.h"
#include "core/tiling.h"

namespace qgemm {
namespace {

// One block of at most mr rows as [k, mr]: the kernel's broadcasts then read one stream, whatever K is (row-major rows
// of 4096 floats would all fall into one set of the level-1 cache).
void pack_block(const float* x, size_t rows, size_t k, size_t mr, float* out) {
  for (size_t i = 0; i < rows; ++i) {
    const float* row = x + i * k;
    for (size_t kk = 0; kk < k; ++kk) out[kk * mr + i] = row[kk];
  }
}

bool all_finite(const float* x, size_t count) {
  bool finite = true;
  for (size_t i = 0; i < count; ++i) finite &= std::isfinite(x[i]);
  return finite;
}

struct PackContext {
  const float* x;
  size_t m, k, mr;
  float* out;
};

void pack_task(void* opaque, size_t block) {
  auto* context = static_cast<PackContext*>(opaque);
  const size_t first = block * context->mr, rows = std::min(context->mr, context->m - first);
  pack_block(context->x + first * context->k, rows, context->k, context->mr, context->out + first * context->k);
}

}  // namespace

Status prepare_rows_f32(size_t k, const float* x, size_t m, bool reject_non_finite, bool parallel, PreparedRows* out) {
  if (reject_non_finite && !all_finite(x, m * k)) return Status::non_finite;
  const auto& kernel = choose_gemm_f32(dispatch_config(), m);
  const size_t blocks = (m + kernel.mr - 1) / kernel.mr;
  size_t elements, bytes;
  if (!checked_multiply(blocks * kernel.mr, k, &elements) || !checked_multiply(elements, sizeof(float), &bytes) ||
      !out->memory.ensure(bytes)) {
    return Status::out_of_memory;
  }
  out->m = m;
  out->values_mr = kernel.mr;
  out->values = out->memory.as<float>();
  PackContext context = {x, m, k, kernel.mr, out->values};
  constexpr size_t kMinParallel = size_t{1} << 16;
  if (parallel && blocks > 1 && elements >= kMinParallel) {
    ThreadPool::instance().parallel_for(blocks, pack_task, &context);
  } else {
    for (size_t block = 0; block < blocks; ++block) pack_task(&context, block);
  }
  return Status::ok;
}

Status gemm_f32(const PackedWeights& w, const PreparedRows& rows, const LinearEpilogue& epilogue, void* y,
                const std::atomic<bool>* cancel) {
  const auto& kernel = choose_gemm_f32(dispatch_config(), rows.m, distance_of_weights(w.panels_bytes()));
  const Tiling tiling = make_tiling(rows.m, w.n, w.k, kernel.mr, kernel.nr, w.k * sizeof(float));
  const size_t value_bytes = epilogue.output ? 1 : sizeof(float);
  const auto tile = [&](size_t row, size_t m, size_t col, size_t n) {
    GemmF32Args args = {};
    args.m = m;
    args.n = n;
    args.k = w.k;
    args.a = rows.values + row * w.k;
    args.lda = rows.values_mr;
    args.b = static_cast<const float*>(w.panels) + col / kPanelColumns * w.panel_stride() + col % kPanelColumns;
    args.panel_stride = w.panel_stride();
    args.c = static_cast<char*>(y) + (row * w.n + col) * value_bytes;
    args.ldc = w.n;
    args.epilogue = {epilogue.bias ? epilogue.bias + col : nullptr,
                     epilogue.residual ? epilogue.residual + row * w.n + col : nullptr, w.n, epilogue.activation,
                     epilogue.output};
    kernel.run(&args);
  };
  return for_each_tile(tiling, cancel, tile) ? Status::ok : Status::cancelled;
}

}  // namespace qgemm
