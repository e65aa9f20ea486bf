#include <algorithm>
#include <atomic>

#include "core/dispatch.h"
#include "core/fp_env.h"
#include "core/gemm.h"
#include "core/gemm_f32.h"
#include "core/thread_pool.h"

namespace qgemm {
namespace {

struct QuantizeContext {
  const float* x;
  size_t k, padded_k, rows_per_task;
  RowRange range;
  bool want_row_sums;
  PreparedRows* out;
  QuantizeRowFn run;
  std::atomic<bool> finite{true};
};

void quantize_task(void* opaque, size_t task) {
  auto* context = static_cast<QuantizeContext*>(opaque);
  PreparedRows* out = context->out;
  const size_t first = task * context->rows_per_task;
  const size_t last = std::min(out->m, first + context->rows_per_task);
  for (size_t row = first; row < last; ++row) {
    QuantizeRowArgs args = {};
    args.x = context->x + row * context->k;
    args.k = context->k;
    args.padded_k = context->padded_k;
    args.range = context->range;
    args.want_row_sum = context->want_row_sums;
    args.q = out->q + row * out->lda;
    context->run(&args);
    out->scales[row] = args.scale;
    out->zero_points[row] = args.zero_point;
    out->row_sums[row] = args.row_sum;
    if (args.non_finite) context->finite.store(false, std::memory_order_relaxed);
  }
}

// Rows a power of two apart would compete for the same sets of the level-1 cache.
size_t row_stride(size_t padded_k) { return padded_k % 1024 == 0 ? padded_k + 64 : padded_k; }

bool allocate(size_t m, size_t lda, PreparedRows* out) {
  size_t codes;
  if (!checked_multiply(m, lda, &codes) || m > SIZE_MAX / 64 || codes > SIZE_MAX / 2) return false;
  if (!out->memory.ensure(codes + 3 * m * 4)) return false;
  out->m = m;
  out->lda = lda;
  out->q = out->memory.as<uint8_t>();
  out->scales = reinterpret_cast<float*>(out->q + codes);
  out->zero_points = reinterpret_cast<int32_t*>(out->scales + m);
  out->row_sums = out->zero_points + m;
  return true;
}

}  // namespace

Status prepare_rows(const PackedWeights& weights, const float* x, size_t m, bool reject_non_finite, bool parallel,
                    PreparedRows* out) {
  const ScopedFpEnv fp_env;
  if (weights.scheme == Scheme::float32) return prepare_rows_f32(weights, x, m, reject_non_finite, parallel, out);
  const size_t padded_k = weights.padded_k();
  if (!allocate(m, row_stride(padded_k), out)) return Status::out_of_memory;
  QuantizeContext context = {x,
                             weights.k,
                             padded_k,
                             m,
                             weights.activations,
                             weights.zero_points != nullptr,
                             out,
                             choose_quantize_row(dispatch_config()).run,
                             {true}};
  // Below some ten microseconds of work a second thread does not pay.
  constexpr size_t kElementsPerTask = size_t{1} << 15;
  if (parallel && m > 1 && m * padded_k >= 2 * kElementsPerTask) {
    context.rows_per_task = std::max(kElementsPerTask / padded_k, size_t{1});
    const size_t tasks = (m + context.rows_per_task - 1) / context.rows_per_task;
    ThreadPool::instance().parallel_for(tasks, quantize_task, &context);
  } else if (m > 0) {
    quantize_task(&context, 0);
  }
  return reject_non_finite && !context.finite.load() ? Status::non_finite : Status::ok;
}

}  // namespace qgemm
