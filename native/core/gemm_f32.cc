#include "core/gemm_f32.h"

#include <algorithm>
#include <cmath>

#include "core/cpu.h"
#include "core/dispatch.h"
#include "core/pack_block_f32.h"
#include "core/tiling.h"

namespace qgemm {
namespace {

constexpr size_t kCacheLine = 64;

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

// Whether weights are asked for. Where that is not free, it pays for those that several tiles read, from memory.
bool are_asked_for(size_t bytes, bool are_far, bool by_several_tiles) {
  switch (asking()) {
    case Asking::is_free:
      return bytes > cpu_caches().l2 / 2;
    case Asking::pays_from_far:
      return are_far && by_several_tiles;
    default:
      return false;
  }
}

// Where asking costs nothing, far weights are read as fast as near ones by the kernels that read several panels.
Weights distance(size_t bytes) { return asking_is_free() ? Weights::near : distance_of_weights(bytes); }

// Two tiles of eight rows, not twelve and four: sums of few rows are too few to hide the latency of multiplications.
size_t rows_of_tiles(const Kernel<GemmF32Fn>& kernel, size_t m) {
  constexpr size_t kLargeTile = 12;
  if (kernel.mr < kLargeTile || m <= kernel.mr) return kernel.mr;
  const size_t tiles = (m + kernel.mr - 1) / kernel.mr;
  return (m + tiles - 1) / tiles;
}

// Packing many rows pays where they are read often, by weights from afar: asking for these suits one stream of rows.
bool had_better_lie(const Kernel<GemmF32Fn>& kernel, const PackedWeights& weights, size_t m) {
  constexpr size_t kFewRows = 4, kFewColumns = 8 * kPanelColumns, kManyColumns = 24 * kPanelColumns, kManyRows = 64;
  if (!can_take_rows(kernel)) return false;
  if (rows_of_tiles(kernel, m) <= kFewRows || weights.n <= kFewColumns) return true;
  const size_t near = (m >= kManyRows ? 4 : 1) * cpu_caches().l2;
  return weights.n <= kManyColumns && weights.panels_bytes() <= near;
}

// Rows that are not packed can be shared anyhow, and are where there is one panel to share, or three.
bool shares_rows(size_t n, bool lie) { return lie && (n <= kPanelColumns || (n - 1) / kPanelColumns == 2); }

RowShares shares_of_rows(size_t m, size_t mr, size_t n, bool lie) {
  if (!shares_rows(n, lie)) return {mr, mr, mr, 0};
  const size_t least = n <= kPanelColumns ? 4 : 6, unit = m <= 2 * mr ? 1 : 4;
  return {unit, mr, std::min(mr, least), 0};
}

// Rows of sums that may wait, on the stack, while all rows of a block take some steps of k.
constexpr size_t kMaxRows = 272;

// These steps, of `all`, read so much of a panel, 32 KiB, as stays in the level-1 cache meanwhile.
size_t steps_of_slices(size_t all) {
  constexpr size_t kMost = 256;
  const size_t slices = (all + kMost - 1) / kMost;
  return slices > 1 ? round_up((all + slices - 1) / slices, 4) : all;
}

}  // namespace

bool can_pause(const Kernel<GemmF32Fn>& kernel) {
  return (kernel.features & kAvx2) != 0 && kernel.nr == kPanelColumns && kernel.mr > 1;
}

bool can_take_rows(const Kernel<GemmF32Fn>& kernel) { return kernel.mr == 1 || (kernel.features & kAvx2) != 0; }

size_t rows_of_tiles_f32(size_t m) { return rows_of_tiles(choose_gemm_f32(dispatch_config(), m), m); }

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
  PackContext context = {x, m, k, mr, out->memory.as<float>()};
  if (parallel && blocks > 1 && elements >= kParallelPreparation) {
    ThreadPool::instance().parallel_for(blocks, pack_task, &context);
  } else {
    for (size_t block = 0; block < blocks; ++block) pack_task(&context, block);
  }
  return Status::ok;
}

Float32Gemm::Float32Gemm(const PackedWeights& weights, size_t m, const LinearEpilogue& epilogue, void* y,
                         bool of_caller)
    : w_(weights),
      epilogue_(epilogue),
      y_(y),
      kernel_(choose_gemm_f32(dispatch_config(), m, distance(weights.panels_bytes()))),
      takes_rows_(of_caller && had_better_lie(kernel_, w_, m)),
      tiling_(make_tiling(
          {m, w_.n, w_.k, rows_of_tiles(kernel_, m), kernel_.nr, w_.k * sizeof(float), w_.panels_bytes(), Blocks::none,
           shares_of_rows(m, rows_of_tiles(kernel_, m), w_.n, takes_rows_), shares_rows(w_.n, takes_rows_)})),
      far_(distance(w_.reuse.read(w_.panels_bytes())) == Weights::far),
      ask_ahead_(are_asked_for(w_.panels_bytes(), far_, m > kernel_.mr)),
      depth_(ask_ahead_ && can_pause(kernel_) && tiling_.block_rows <= kMaxRows ? steps_of_slices(w_.k) : w_.k) {}

// Rows of whole pages all fall into one set of the level-1 cache, which holds eight cache lines.
size_t Float32Gemm::rows_of_tile() const {
  constexpr size_t kPage = 4096, kWays = 8;
  const bool share_a_set = takes_rows_ && w_.k * sizeof(float) % kPage == 0;
  return share_a_set ? std::min(tiling_.mr, kWays) : tiling_.mr;
}

void Float32Gemm::run(const Block& block, const PreparedRows& rows, size_t first) const {
  GemmF32Args args = {};
  args.lda = takes_rows_ ? 1 : tiling_.mr;
  args.row_stride = takes_rows_ ? w_.k : 1;
  args.panel_stride = w_.panel_stride();
  args.ldc = w_.n;
  args.epilogue = {nullptr, nullptr, w_.n, epilogue_.activation, epilogue_.output};
  args.ask_ahead = ask_ahead_;
  args.a = rows.values + first * w_.k;
  alignas(64) float sums[kMaxRows * kPanelColumns];
  args.sums = sums;
  for (size_t col = block.col0; col < block.col1; col += tiling_.nr) {
    const size_t n = std::min(tiling_.nr, block.col1 - col);
    const size_t depth = n > kPanelColumns / 2 ? depth_ : w_.k;  // half panels do not pause
    size_t k = 0;
    do run_slice(block, {col, n, k, std::min(depth, w_.k - k), rows_of_tile()}, &args);
    while ((k += depth) < w_.k);
  }
}

// What comes after a slice is asked for by its last two tiles, half by each, in four places: a hardware prefetcher
// keeps within a page, and several bring more from afar than one.
void Float32Gemm::run_slice(const Block& block, const Slice& slice, GemmF32Args* whole) const {
  const auto& [col, n, k, depth, mr] = slice;
  const size_t value_bytes = epilogue_.output ? 1 : sizeof(float);
  GemmF32Args args = *whole;
  args.k = depth;
  args.n = n;
  args.b = panel_of(col) + k * kPanelColumns;
  args.resume = k != 0;
  args.pause = k + depth != w_.k;
  if (epilogue_.bias) args.epilogue.bias = epilogue_.bias + col;
  const bool ask = ask_ahead_ && can_pause(kernel_) && (args.pause || col + n < w_.n);
  const char* const next = reinterpret_cast<const char*>(args.b + depth * kPanelColumns);
  const size_t next_depth = std::min(args.pause ? w_.k - k - depth : w_.k, depth_);
  args.next_quarter = round_up(next_depth * kPanelColumns * sizeof(float) / 4, kCacheLine);
  const size_t m = block.row1 - block.row0;
  args.next_all = m <= mr;
  for (size_t row = 0; row < m; row += mr) {
    const size_t to = (block.row0 + row) * w_.n + col;
    args.m = std::min(mr, m - row);
    args.a = whole->a + row * w_.k + k * args.lda;
    args.sums = whole->sums + row * kPanelColumns;
    args.c = static_cast<char*>(y_) + to * value_bytes;
    if (epilogue_.residual) args.epilogue.residual = epilogue_.residual + to;
    args.next = nullptr;
    args.b_is_far = far_ && row == 0;
    if (ask && row + 2 * mr >= m) args.next = next + (row + mr >= m && !args.next_all ? args.next_quarter / 2 : 0);
    kernel_.run(&args);
  }
}

}  // namespace qgemm
