#include "core/gemm_f32.h"

#include <algorithm>
#include <cmath>

#include "core/dispatch.h"
#include "core/pack_block_f32.h"
#include "core/tiling.h"

namespace qgemm {
namespace {

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
  const auto& [x, m, k, mr, out] = *static_cast<const PackContext*>(opaque);
  const size_t first = block * mr;
  pack_block_f32(x + first * k, std::min(mr, m - first), k, mr, out + first * k);
}

}  // namespace

size_t rows_of_kernel_f32(size_t m) { return choose_gemm_f32(dispatch_config(), m).mr; }

Status prepare_rows_f32(size_t k, const float* x, size_t m, size_t mr, bool reject_non_finite, bool parallel,
                        PreparedRows* out) {
  if (reject_non_finite && !all_finite(x, m * k)) return Status::non_finite;
  const size_t blocks = (m + mr - 1) / mr;
  size_t elements, bytes;
  if (!checked_multiply(blocks * mr, k, &elements) || !checked_multiply(elements, sizeof(float), &bytes) ||
      !out->memory.ensure(bytes)) {
    return Status::out_of_memory;
  }
  out->m = m;
  out->values = out->memory.as<float>();
  PackContext context = {x, m, k, mr, out->values};
  if (parallel && blocks > 1 && elements >= kParallelPreparation) {
    ThreadPool::instance().parallel_for(blocks, pack_task, &context);
  } else {
    for (size_t block = 0; block < blocks; ++block) pack_task(&context, block);
  }
  return Status::ok;
}

Float32Gemm::Float32Gemm(const PackedWeights& weights, size_t m, const LinearEpilogue& epilogue, void* y)
    : w_(weights),
      epilogue_(epilogue),
      y_(y),
      kernel_(choose_gemm_f32(dispatch_config(), m, distance_of_weights(weights.panels_bytes()))),
      tiling_(make_tiling({m, w_.n, w_.k, kernel_.mr, kernel_.nr, w_.k * sizeof(float), w_.panels_bytes(), false})) {}

void Float32Gemm::run(const Block& block, const PreparedRows& rows, size_t first) const {
  GemmF32Args args = {};
  args.k = w_.k;
  args.lda = kernel_.mr;
  args.panel_stride = w_.panel_stride();
  args.ldc = w_.n;
  args.epilogue = {nullptr, nullptr, w_.n, epilogue_.activation, epilogue_.output};
  const size_t value_bytes = epilogue_.output ? 1 : sizeof(float);
  for_each_tile(tiling_, block, [&](size_t row, size_t m, size_t col, size_t n) {
    const size_t to = row * w_.n + col;
    args.m = m;
    args.n = n;
    args.a = rows.values + (first + row - block.row0) * w_.k;
    args.b = static_cast<const float*>(w_.panels) + col / kPanelColumns * w_.panel_stride() + col % kPanelColumns;
    args.c = static_cast<char*>(y_) + to * value_bytes;
    if (epilogue_.bias) args.epilogue.bias = epilogue_.bias + col;
    if (epilogue_.residual) args.epilogue.residual = epilogue_.residual + to;
    kernel_.run(&args);
  });
}

}  // namespace qgemm
