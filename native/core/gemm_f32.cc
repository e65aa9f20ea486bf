#include "core/gemm_f32.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/dispatch.h"
#include "core/tiling.h"

namespace qgemm {
namespace {

// One block of at most mr rows as [k, mr]: the kernel's broadcasts then read one stream, whatever K is (row-major rows
// of 4096 floats would all fall into one set of the level-1 cache, which is also why pieces of rows are copied first).
template <size_t kMr>
void pack_block(const float* x, size_t rows, size_t k, float* out) {
  constexpr size_t kPiece = 16;
  float pieces[kMr][kPiece] = {};
  for (size_t k0 = 0; k0 < k; k0 += kPiece) {
    const size_t length = std::min(kPiece, k - k0);
    for (size_t i = 0; i < rows; ++i) {
      if (length == kPiece) {
        memcpy(pieces[i], x + i * k + k0, sizeof pieces[i]);
      } else {
        memcpy(pieces[i], x + i * k + k0, length * sizeof(float));
      }
    }
    for (size_t kk = 0; kk < length; ++kk, out += kMr) {
      for (size_t i = 0; i < kMr; ++i) out[i] = pieces[i][kk];
    }
  }
}

using PackFn = void (*)(const float* x, size_t rows, size_t k, float* out);

// For the rows that kernels have, or null; constants let the compiler unroll.
PackFn pack_function(size_t mr) {
  switch (mr) {
    case 1:
      return pack_block<1>;
    case 2:
      return pack_block<2>;
    case 4:
      return pack_block<4>;
    case 6:
      return pack_block<6>;
    case 8:
      return pack_block<8>;
    case 12:
      return pack_block<12>;
    default:
      return nullptr;
  }
}

// For any number of rows.
void pack_block_plainly(const float* x, size_t rows, size_t k, size_t mr, float* out) {
  for (size_t i = 0; i < rows; ++i) {
    for (size_t kk = 0; kk < k; ++kk) out[kk * mr + i] = x[i * k + kk];
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
  PackFn pack;
  float* out;
};

void pack_task(void* opaque, size_t block) {
  auto* context = static_cast<PackContext*>(opaque);
  const size_t first = block * context->mr, rows = std::min(context->mr, context->m - first);
  const float* x = context->x + first * context->k;
  float* out = context->out + first * context->k;
  if (context->pack != nullptr) {
    context->pack(x, rows, context->k, out);
  } else {
    pack_block_plainly(x, rows, context->k, context->mr, out);
  }
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
  PackContext context = {x, m, k, mr, pack_function(mr), out->values};
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
      tiling_(make_tiling({m, w_.n, w_.k, kernel_.mr, kernel_.nr, w_.k * sizeof(float), w_.panels_bytes()})) {}

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
