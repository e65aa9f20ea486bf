#include <algorithm>
#include <atomic>
#include <cstring>

#include "core/dispatch.h"
#include "core/fp_env.h"
#include "core/gemm_f32.h"
#include "core/prepared_rows.h"
#include "core/quantize.h"
#include "core/thread_pool.h"

namespace qgemm {
namespace {

struct QuantizeContext {
  const InputScheme* scheme;
  const float* x;
  size_t rows_per_task;
  PreparedRows* out;
  QuantizeRowFn dynamic_row;
  QuantizeFn static_row;
  std::atomic<bool> finite{true};
};

void quantize_dynamic(QuantizeContext* context, size_t first, size_t last) {
  const size_t k = context->scheme->k;
  QuantizeRowArgs args = {};
  args.k = k;
  args.padded_k = round_up(k, kPaddedK);
  args.range = context->scheme->range;
  args.want_row_sum = context->scheme->row_sums;
  PreparedRows* out = context->out;
  bool finite = true;
  for (size_t row = first; row < last; ++row) {
    args.x = context->x + row * k;
    args.q = out->q + row * out->lda;
    look_ahead(last - row - 1, &args);
    context->dynamic_row(&args);
    args.scanned = args.next != nullptr;
    out->scales[row] = args.scale;
    out->zero_points[row] = args.zero_point;
    out->row_sums[row] = args.row_sum;
    finite &= !args.non_finite;
  }
  if (!finite) context->finite.store(false, std::memory_order_relaxed);
}

void quantize_static(const QuantizeContext& context, size_t row, uint8_t* q) {
  const InputScheme& scheme = *context.scheme;
  const size_t k = scheme.k;
  const float factor = 1.0f / scheme.scale;
  const float lowest = static_cast<float>(-scheme.zero_point), highest = static_cast<float>(255 - scheme.zero_point);
  const QuantizeArgs args = {{1, k, k, false}, context.x + row * k, q, false, &factor, &lowest,
                             &highest,         &scheme.zero_point};
  context.static_row(&args);
  memset(q + k, 0, round_up(k, kPaddedK) - k);
  PreparedRows* out = context.out;
  out->scales[row] = scheme.scale;
  out->zero_points[row] = scheme.zero_point;
  uint32_t sum = 0;
  if (scheme.row_sums) {
    for (size_t i = 0; i < k; ++i) sum += q[i];
  }
  out->row_sums[row] = static_cast<int32_t>(sum);
}

void quantize_task(void* opaque, size_t task) {
  auto* context = static_cast<QuantizeContext*>(opaque);
  PreparedRows* out = context->out;
  const size_t first = task * context->rows_per_task;
  const size_t last = std::min(out->m, first + context->rows_per_task);
  if (!context->scheme->is_static) return quantize_dynamic(context, first, last);
  for (size_t row = first; row < last; ++row) quantize_static(*context, row, out->q + row * out->lda);
}

bool allocate(const InputScheme& scheme, size_t m, PreparedRows* out) {
  size_t bytes;
  if (!prepared_bytes(scheme, m, 1, &bytes) || !out->memory.ensure(bytes)) return false;
  out->m = m;
  out->lda = code_row_stride(scheme.k);
  out->q = out->memory.as<uint8_t>();
  out->scales = reinterpret_cast<float*>(out->q + m * out->lda);
  out->zero_points = reinterpret_cast<int32_t*>(out->scales + m);
  out->row_sums = out->zero_points + m;
  return true;
}

void take_codes(const InputScheme& scheme, const QuantizedRows& rows, PreparedRows* out) {
  copy_codes(rows.codes, rows.is_signed, out->m, scheme.k, out->lda, out->q, scheme.row_sums ? out->row_sums : nullptr);
  for (size_t row = 0; row < out->m; ++row) {
    const size_t p = rows.per_row ? row : 0;
    out->scales[row] = rows.scales[p];
    out->zero_points[row] = rows.zero_points[p] + (rows.is_signed ? 128 : 0);
  }
}

}  // namespace

InputScheme dynamic_input(const PackedWeights& weights) {
  InputScheme scheme;
  scheme.weights = weights.scheme;
  scheme.k = weights.k;
  scheme.range = weights.activations;
  scheme.row_sums = weights.zero_points != nullptr;
  return scheme;
}

bool prepared_bytes(const InputScheme& scheme, size_t m, size_t mr, size_t* bytes) {
  if (scheme.weights == Scheme::float32) {
    size_t elements;
    return m <= SIZE_MAX - mr && checked_multiply(round_up(m, mr), scheme.k, &elements) &&
           checked_multiply(elements, sizeof(float), bytes);
  }
  size_t codes;
  if (!checked_multiply(m, code_row_stride(scheme.k), &codes) || m > SIZE_MAX / 64 || codes > SIZE_MAX / 2) {
    return false;
  }
  *bytes = codes + m * (sizeof(float) + 2 * sizeof(int32_t));  // and scales, zero points, row sums
  return true;
}

size_t code_row_stride(size_t k) {
  const size_t padded_k = round_up(k, kPaddedK);
  return padded_k % 1024 == 0 ? padded_k + 64 : padded_k;
}

void copy_codes(const void* codes, bool is_signed, size_t m, size_t k, size_t lda, uint8_t* q, int32_t* row_sums) {
  const uint8_t flip = is_signed ? 0x80 : 0;
  for (size_t row = 0; row < m; ++row) {
    const uint8_t* in = static_cast<const uint8_t*>(codes) + row * k;
    uint8_t* out = q + row * lda;
    uint32_t sum = 0;
    for (size_t i = 0; i < k; ++i) {
      out[i] = in[i] ^ flip;
      sum += out[i];
    }
    memset(out + k, 0, lda - k);
    if (row_sums != nullptr) row_sums[row] = static_cast<int32_t>(sum);
  }
}

Status prepare_rows(const InputScheme& scheme, const Input& input, size_t m, bool reject_non_finite, bool parallel,
                    PreparedRows* out) {
  const ScopedFpEnv fp_env;
  if (scheme.weights == Scheme::float32) {
    return prepare_rows_f32(scheme.k, input.x, m, rows_of_tiles_f32(m), reject_non_finite, parallel, out);
  }
  if (!allocate(scheme, m, out)) return Status::out_of_memory;
  if (input.quantized.codes != nullptr) {
    take_codes(scheme, input.quantized, out);
    return Status::ok;
  }
  if (scheme.is_static && reject_non_finite && find_non_finite(input.x, m * scheme.k) != m * scheme.k) {
    return Status::non_finite;
  }
  QuantizeContext context = {
      &scheme, input.x, m, out, choose_quantize_row(dispatch_config()).run, choose_quantize(dispatch_config()).run,
      {true}};
  constexpr size_t kElementsPerTask = kParallelPreparation / 2;
  const size_t padded_k = round_up(scheme.k, kPaddedK);
  if (parallel && m > 1 && m * padded_k >= kParallelPreparation) {
    context.rows_per_task = std::max(kElementsPerTask / padded_k, size_t{1});
    const size_t tasks = (m + context.rows_per_task - 1) / context.rows_per_task;
    ThreadPool::instance().parallel_for(tasks, quantize_task, &context);
  } else if (m > 0) {
    quantize_task(&context, 0);
  }
  return reject_non_finite && !context.finite.load() ? Status::non_finite : Status::ok;
}

}  // namespace qgemm
