#include "core/gemm.h"

#include <algorithm>

#include "core/cpu.h"
#include "core/dispatch.h"
#include "core/fp_env.h"
#include "core/gemm_f32.h"
#include "core/private_rows.h"
#include "core/tiling.h"
#include "core/weight_reading.h"
#include "kernels/ask_shares.h"

namespace qgemm {
namespace {

constexpr size_t kCacheLine = 64;

// Asks for the cache lines that a tile will be stored to, so that they come while it is computed. A tile stores the
// ends of some rows that lie pages apart, which no hardware prefetcher foresees.
void prefetch_tile(const void* c, size_t rows, size_t row_stride, size_t row_bytes) {
#if defined(__GNUC__)
  for (size_t row = 0; row < rows; ++row) {
    const char* p = static_cast<const char*>(c) + row * row_stride;
    for (size_t byte = 0; byte < row_bytes; byte += kCacheLine) __builtin_prefetch(p + byte, 1);
  }
#else
  static_cast<void>(c), static_cast<void>(rows), static_cast<void>(row_stride), static_cast<void>(row_bytes);
#endif
}

// Kernels of blocks or large tiles see to the lines of their results themselves, and all of AVX512-VNNI do.
bool asks_for_results(const Kernel<GemmU8S8Fn>& kernel) {
  constexpr size_t kLargeTile = 1024;  // outputs
  return takes_blocks(kernel) || kernel.mr * kernel.nr > kLargeTile || (kernel.features & kAvx512Vnni) != 0;
}

// Kernels of nothing but AVX2 add pairs of products in int16, and want to know which of them can saturate.
bool adds_in_16_bits(const Kernel<GemmU8S8Fn>& kernel) { return kernel.features == kAvx2; }

// One multiplication by int8 weights: what its blocks have in common.
class Int8Gemm {
 public:
  Int8Gemm(const PackedWeights& weights, size_t m, const LinearEpilogue& epilogue, void* y)
      : w_(weights),
        epilogue_(epilogue),
        y_(y),
        reading_(weight_reading(weights, m)),
        kernel_(choose_gemm_u8s8f32(dispatch_config(), m, reading_.weights)),
        tiling_(make_tiling({m, w_.n, w_.padded_k(), kernel_.mr, kernel_.nr, code_row_stride(w_.k), w_.panels_bytes(),
                             blocks_of(kernel_), row_shares(kernel_, m, w_.k)})),
        value_bytes_(epilogue.output ? 1 : sizeof(float)),
        y_is_far_(m * w_.n * value_bytes_ > cpu_caches().l2 / 2),
        asks_for_tiles_(y_is_far_ && !asks_for_results(kernel_)),
        large_pairs_(adds_in_16_bits(kernel_) ? w_.large_pairs.get(w_) : nullptr),
        few_rows_ask_(!takes_blocks(kernel_) && m <= std::min(kernel_.mr, kFewRows) && reading_.asked_for &&
                      reading_.in_shares),
        asks_for_next_(reading_.asked_for && !few_rows_ask_) {
    tiling_.even_tails = !reading_.asked_for || reading_.in_shares;  // else whole tiles ask
    if (takes_many_columns(kernel_) && tiling_.block_rows <= kernel_.mr && !asks_for_next_) {
      tiling_.nr = tiling_.group_columns;
    }
  }

  const Tiling& tiling() const { return tiling_; }

  /// Row 0 of the block is row `first` of `rows`.
  void run(const Block& block, const PreparedRows& rows, size_t first) const {
    GemmU8S8Args args = {};
    args.k = kernel_depth(kernel_, w_.k);
    args.lda = rows.lda;
    args.panel_stride = w_.panel_stride();
    args.ldc = w_.n;
    args.c_is_far = y_is_far_;
    args.whole_lines = stores_across_lines_are_slow();
    args.logical_k = static_cast<uint32_t>(w_.k);
    args.epilogue.ld_residual = w_.n;
    args.epilogue.activation = epilogue_.activation;
    args.epilogue.output = epilogue_.output;
    args.b_is_far = reading_.asked_for;
    const bool asks = takes_blocks(kernel_) ? reading_.bytes_between > 2 * cpu_caches().l2 : few_rows_ask_;
    args.ask_ahead = asks ? reading_.ahead : 0;
    args.one_stream = one_stream_is_enough();
    args.large_pairs = large_pairs_;
    args.scratch = scratch_for(kernel_);
    for_each_tile(tiling_, block, [&](size_t row, size_t m, size_t col, size_t n) {
      const size_t from = first + row - block.row0, to = row * w_.n + col;
      args.m = m;
      args.n = n;
      args.a = rows.q + from * rows.lda;
      args.b = panel_of(col) + col % kPanelColumns * 4;
      args.panel = col / kPanelColumns;
      args.next = col + n < w_.n && asks_for_next_ ? panel_of(col + n) : nullptr;
      if (args.next != nullptr && !takes_blocks(kernel_)) share_next_panel(block, row, &args);
      args.c = static_cast<char*>(y_) + to * value_bytes_;
      args.a_scales = rows.scales + from;
      args.a_zero_points = rows.zero_points + from;
      args.a_row_sums = rows.row_sums + from;
      args.b_scales = w_.scales + col;
      args.b_column_sums = w_.column_sums + col;
      if (w_.zero_points) args.b_zero_points = w_.zero_points + col;
      if (epilogue_.bias) args.epilogue.bias = epilogue_.bias + col;
      if (epilogue_.residual) args.epilogue.residual = epilogue_.residual + to;
      if (asks_for_tiles_) prefetch_tile(args.c, m, w_.n * value_bytes_, n * value_bytes_);
      kernel_.run(&args);
    });
  }

 private:
  static constexpr size_t kFewRows = 14;

  // Weights that do not come from the nearer caches are asked for one panel ahead, while the tiles of a block are at
  // the one before. Where asking pays each tile asks for an equal share without gaps, from the first tile on; the
  // hardware's own reading ahead sees a stream and helps. Elsewhere the last whole tiles do, half by each of two.
  void share_next_panel(const Block& block, size_t row, GemmU8S8Args* args) const {
    const size_t rows = block.row1 - block.row0, mr = kernel_.mr;
    if (reading_.in_shares) {
      const size_t lines = 16 * kernel_.nr / kCacheLine;  // of 16 steps of k
      const size_t tile = (row - block.row0 + mr - 1) / mr, tiles = (rows + mr - 1) / mr;
      const size_t before = lines_before(tile, tiles, lines), mine = lines_before(tile + 1, tiles, lines) - before;
      args->next = mine != 0 ? args->next + before * w_.padded_k() / 16 * kCacheLine : nullptr;
      args->next_lines = mine;
      return;
    }
    const size_t tile = (row - block.row0) / mr, whole = rows / mr;
    if (tile < whole && tile + 2 >= whole) {
      args->next += (whole - 1 - tile) * kCacheLine;
      args->next_half = whole > 1;
    } else {
      args->next = nullptr;
    }
  }

  const int8_t* panel_of(size_t col) const {
    return static_cast<const int8_t*>(w_.panels) + col / kPanelColumns * w_.panel_stride();
  }

  const PackedWeights& w_;
  LinearEpilogue epilogue_;
  void* y_;
  WeightReading reading_;
  const Kernel<GemmU8S8Fn>& kernel_;
  Tiling tiling_;
  size_t value_bytes_;
  bool y_is_far_, asks_for_tiles_;
  const LargePairs* large_pairs_;
  bool few_rows_ask_;   // for what they read themselves
  bool asks_for_next_;  // panel by panel
};

// What runs on the pool holds what each block needs, so that helpers find it in one place (for_each_block).
template <typename Gemm>
struct SharedWork {
  Gemm gemm;
  const PreparedRows& rows;

  void operator()(const Block& block, size_t) const { gemm.run(block, rows, block.row0); }
};

template <typename Gemm>
struct PrivateWork {
  Gemm gemm;
  PrivateRows::Call rows;

  void operator()(const Block& block, size_t participant) const { gemm.run(block, rows.of(block, participant), 0); }
};

template <typename Gemm>
Status run_shared(const SharedWork<Gemm>& work, const std::atomic<bool>* cancel) {
  return for_each_block(work.gemm.tiling(), cancel, work) ? Status::ok : Status::cancelled;
}

// Threads that share a block of rows each prepare all of it. Where that is so much that several threads had better do
// it together, rows are prepared before (prepare_rows).
bool worth_preparing_alone(const Tiling& tiling, size_t k) {
  return tiling.row_blocks >= tiling.threads || tiling.m * k < kParallelPreparation;
}

template <typename Gemm>
Status run_private(PrivateWork<Gemm>* work, const InputScheme& scheme, const Input& input, PrivateRows* rows) {
  const Tiling& tiling = work->gemm.tiling();
  if (!worth_preparing_alone(tiling, scheme.k)) {
    const Status status = prepare_rows(scheme, input, tiling.m, false, true, rows->shared());
    return status == Status::ok ? run_shared(SharedWork<Gemm>{work->gemm, *rows->shared()}, nullptr) : status;
  }
  if (!rows->begin(scheme, input.x, tiling, &work->rows)) return Status::out_of_memory;
  for_each_block(tiling, nullptr, *work);
  return Status::ok;
}

}  // namespace

Status gemm(const PackedWeights& weights, const PreparedRows& rows, const LinearEpilogue& epilogue, void* y,
            const std::atomic<bool>* cancel) {
  if (rows.m == 0 || weights.n == 0) return Status::ok;
  const ScopedFpEnv fp_env;
  if (weights.scheme == Scheme::float32) {
    return run_shared(SharedWork<Float32Gemm>{{weights, rows.m, epilogue, y, false}, rows}, cancel);
  }
  return run_shared(SharedWork<Int8Gemm>{{weights, rows.m, epilogue, y}, rows}, cancel);
}

Status gemm_from_input(const InputScheme& scheme, const Input& input, size_t m, const LinearOutput& output,
                       PrivateRows* rows) {
  const PackedWeights& weights = *output.weights;
  if (m == 0 || weights.n == 0) return Status::ok;
  const ScopedFpEnv fp_env;
  if (weights.scheme == Scheme::float32) {
    PrivateWork<Float32Gemm> work{{weights, m, output.epilogue, output.y, true}, {}};
    if (!work.gemm.takes_rows()) return run_private(&work, scheme, input, rows);
    PreparedRows as_they_lie;
    as_they_lie.m = m;
    as_they_lie.values = input.x;
    return run_shared(SharedWork<Float32Gemm>{work.gemm, as_they_lie}, nullptr);
  }
  PrivateWork<Int8Gemm> work{{weights, m, output.epilogue, output.y}, {}};
  return run_private(&work, scheme, input, rows);
}

}  // namespace qgemm
