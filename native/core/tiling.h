#pragma once
#include <algorithm>
#include <atomic>
#include <cstddef>

#include "core/aligned_buffer.h"
#include "core/cpu.h"
#include "core/dispatch.h"
#include "core/thread_pool.h"
#include "kernels/kernel.h"

namespace qgemm {

/// What one task of a multiplication computes: rows [row0, row1) times columns [col0, col1) of the output.
struct Block {
  size_t row0, row1, col0, col1;
};

/// How one multiplication is cut into blocks: rows that stay in the level-2 cache, times groups of columns. Within a
/// block every column tile meets all row tiles, so that weights come from far once per block of rows.
struct Tiling {
  size_t m, n;
  size_t mr, nr;         // of one call of the kernel: a register tile, or a block
  size_t threads;        // that may take part
  size_t block_rows;     // a multiple of the request's rows.unit or mr
  size_t group_columns;  // multiple of the panel width
  size_t row_blocks, column_groups;
  bool even_tails;  // a small tile at the end of a block shares its rows and those before it evenly
  size_t work;      // multiply-adds

  size_t tasks() const { return row_blocks * column_groups; }

  Block block(size_t task) const {
    const size_t row0 = task / column_groups * block_rows, col0 = task % column_groups * group_columns;
    return {row0, std::min(m, row0 + block_rows), col0, std::min(n, col0 + group_columns)};
  }
};

struct TilingRequest {
  size_t m, n, k;
  size_t mr, nr;
  size_t row_bytes;      // of one row of activations, as kernels read it
  size_t weights_bytes;  // of all panels
  Blocks blocks;         // what the kernel cuts into register tiles itself: it likes that large
  RowShares rows = {};   // zeros: mr
  bool by_rows = false;  // columns cannot be shared evenly: rows are, whatever the weights
};

/// A task below this many multiply-adds costs more to hand out than to do (some microseconds).
constexpr size_t kMinTask = size_t{1} << 19;
/// The matrix unit does many times as much in that time, and takes as long to read a weight as to multiply some rows by
/// it.
constexpr size_t kMinBlockTask = 16 * kMinTask, kRowsOfReading = 16;

/// A row of few columns takes as long as one of so many, because it has to be prepared, and a short one no less than so
/// many multiply-adds.
constexpr size_t kLeastColumns = 48, kLeastWorkOfRow = 4096;
/// A matrix is narrow that has no more than so many columns for each row of the call.
constexpr size_t kNarrow = 5;

inline bool on_matrix_unit(const TilingRequest& r) { return r.blocks == Blocks::matrix_unit; }
inline size_t min_task(const TilingRequest& r) { return on_matrix_unit(r) ? kMinBlockTask : kMinTask; }

/// Columns of one task for a kernel that takes blocks: some tasks for each thread, if they are large enough. Threads
/// that have rows of their own take columns from each other at the end, and half as large is enough for that.
inline size_t block_columns(const TilingRequest& r, size_t enough, size_t threads, bool threads_have_rows) {
  if (threads == 1) return r.n;
  if (r.rows.columns != 0) return std::max(enough, r.rows.columns);
  const size_t for_stealing = threads_have_rows ? std::max(enough / 2, r.n / (2 * threads)) : enough;
  return std::max(std::min(enough, for_stealing), r.n / (4 * threads));
}

/// Columns of one task. Where threads share few groups of columns, each gets equally many: groups are then as narrow as
/// that needs, if need be with a register tile that is not full at the end of each. One row takes as long as two, since
/// it waits for the weights: so its groups may be half as wide, but only where threads would be without any.
inline size_t group_columns(const TilingRequest& r, size_t work_per_column, size_t threads, bool threads_have_rows) {
  const size_t tile = std::max<size_t>(r.nr, kPanelColumns);
  const size_t least_work = min_task(r), enough = (least_work + work_per_column - 1) / work_per_column;
  const size_t least =
      round_up(r.blocks != Blocks::none ? block_columns(r, enough, threads, threads_have_rows) : enough, tile);
  const size_t whole_tiles = std::min(least, round_up(r.n, tile)), groups = (r.n + whole_tiles - 1) / whole_tiles;
  if (threads_have_rows || groups >= 4 * threads) {
    return r.blocks != Blocks::none ? round_up((r.n + groups - 1) / groups, tile) : whole_tiles;
  }
  constexpr size_t kRowsAsLong = 2;
  const size_t most = std::max(r.n * std::max(work_per_column, kRowsAsLong * r.k) / least_work, size_t{1});
  const size_t even = std::min(round_up(groups, threads), most < threads ? most : most / threads * threads);
  return round_up((r.n + even - 1) / even, kPanelColumns);
}

/// Level-2 cache for the rows of a block. The matrix unit reads all weights once for each block: the fewer blocks the
/// better, all the more where they come from memory (K = 4096: 256 rows instead of 252, which would be 192).
inline size_t bytes_of_rows(const TilingRequest& r, size_t l2) {
  if (!on_matrix_unit(r)) return l2 / 16;
  return r.weights_bytes > 16 * l2 ? l2 / 16 * 9 : l2 / 2;
}

/// The fewest rows of a block, each of which reads all weights. Many long rows would not stay in level 2 until they are
/// multiplied; where there are few columns, reading these more often costs less.
inline size_t least_block_rows(const TilingRequest& r, size_t l2) {
  constexpr size_t kRows = 128, kManyRows = 256, kFewColumns = 128;
  if (r.blocks == Blocks::packed_rows) return r.mr;
  const bool too_long = r.row_bytes * kRows >= 2 * l2;
  return too_long && r.n <= kFewColumns && r.m >= kManyRows ? 2 * r.mr : kRows;
}

/// Each thread gets rows of its own where that does not make it wait for weights: they lie in its cache, or enough rows
/// use each of them. Threads that have columns of their own all read the same rows instead, prepare all of them, and
/// store to lines that others store to as well; of a matrix with few columns, that takes longer than all of them
/// reading all weights does.
inline size_t rows_worth_a_thread(const TilingRequest& r, const RowShares& shares, size_t l2) {
  if (r.by_rows || r.weights_bytes <= l2 / 4 || r.n <= kNarrow * r.m) return shares.least_by_near_weights;
  return r.weights_bytes <= l2 ? shares.least : std::max(shares.least, size_t{32});
}

/// Whether all of it is too little to hand out, reading the weights included. Of such calls, the divisions of
/// make_tiling would take some percent.
inline bool is_one_task(const TilingRequest& r, size_t work_per_row) {
  constexpr size_t kRows = 128;  // lie in the cache
  return r.m <= kRows && !on_matrix_unit(r) && r.m * work_per_row < kMinTask && r.weights_bytes < kMinTask;
}

/// Blocks of equal size: a small last one would leave a thread idle. Their number and that of groups of columns.
inline void cut_into_blocks(const TilingRequest& r, size_t unit, size_t blocks, Tiling* tiling) {
  tiling->block_rows = round_up((r.m + blocks - 1) / blocks, unit);
  tiling->row_blocks = (r.m + tiling->block_rows - 1) / tiling->block_rows;
  // Few rows take as long as reading the weights does: a byte counts as much as a multiply-add.
  const size_t bytes_per_weight = r.weights_bytes / std::max(round_up(r.n, kPanelColumns) * r.k, size_t{1});
  const size_t rows =
      std::max({std::min(r.m, tiling->block_rows), bytes_per_weight, on_matrix_unit(r) ? kRowsOfReading : size_t{1}});
  tiling->group_columns =
      group_columns(r, std::max(rows * r.k, size_t{1}), tiling->threads, tiling->row_blocks >= tiling->threads);
  tiling->column_groups = (r.n + tiling->group_columns - 1) / tiling->group_columns;
}

/// With fewer tasks for each thread than that, rows are cut so that all threads get as many blocks: but not for the
/// matrix unit, which would read all weights for each.
constexpr size_t kManyTasks = 8;
inline bool leaves_threads_idle(const TilingRequest& r, const Tiling& t) {
  return t.row_blocks > 1 && t.tasks() % t.threads != 0 && t.tasks() < kManyTasks * t.threads && !on_matrix_unit(r);
}

inline Tiling make_tiling(const TilingRequest& r) {
  const size_t l2 = cpu_caches().l2 != 0 ? cpu_caches().l2 : size_t{1} << 20;
  const size_t threads = ThreadPool::instance().num_threads();
  const size_t work_per_row = std::max(std::max(r.n, kLeastColumns) * std::max(r.k, size_t{1}), kLeastWorkOfRow);
  const RowShares shares = r.rows.unit != 0 ? r.rows : RowShares{r.mr, r.mr, r.mr, 0};
  Tiling tiling = {r.m, r.n, r.mr, r.nr, threads, 0, 0, 0, 0, false, r.m * work_per_row};
  if (is_one_task(r, work_per_row)) {
    tiling.block_rows = r.m;
    tiling.group_columns = r.n;
    tiling.row_blocks = tiling.column_groups = 1;
    if (r.blocks != Blocks::none) {
      tiling.mr = r.m;
      tiling.nr = r.n;
    }
    return tiling;
  }

  const size_t rows_in_cache =
      std::max(bytes_of_rows(r, l2) / std::max(r.row_bytes, size_t{1}), least_block_rows(r, l2));
  const size_t rows_per_thread =
      std::max(rows_worth_a_thread(r, shares, l2), (min_task(r) + work_per_row - 1) / work_per_row);
  const size_t blocks =
      std::max({(r.m + rows_in_cache - 1) / rows_in_cache, std::min(threads, r.m / rows_per_thread), size_t{1}});
  cut_into_blocks(r, shares.unit, blocks, &tiling);
  if (leaves_threads_idle(r, tiling)) {
    const size_t even_blocks = round_up(tiling.row_blocks, threads);
    if (r.m >= even_blocks * rows_per_thread) cut_into_blocks(r, shares.unit, even_blocks, &tiling);
  }
  if (r.blocks != Blocks::none) {
    tiling.mr = tiling.block_rows;
    tiling.nr = tiling.group_columns;
  }
  return tiling;
}

/// Calls run(block, participant) for every block, on the pool. False when cancelled. Helpers have all of `run` brought
/// to their cache at once: what it holds itself, and does not refer to, they need not wait for.
template <typename RunFn>
bool for_each_block(const Tiling& tiling, const std::atomic<bool>* cancel, const RunFn& run) {
  struct Context {
    const Tiling* tiling;
    const RunFn* run;
  } context = {&tiling, &run};
  const auto task = [](void* opaque, size_t index, size_t participant) {
    const auto& [t, function] = *static_cast<const Context*>(opaque);
    (*function)(t->block(index), participant);
  };
  if (tiling.tasks() == 1) {
    if (cancel != nullptr && cancel->load(std::memory_order_relaxed)) return false;
    task(&context, 0, 0);
    return true;
  }
  return ThreadPool::instance().parallel_for(tiling.tasks(), tiling.threads, task, &context, cancel,
                                             {&run, sizeof run, tiling.work});
}

/// Rows of the next tile of `left`. A tile of one or two rows takes as long as one of twice as many: its sums are too
/// few to hide the latency of the multiplications.
inline size_t tile_rows(const Tiling& tiling, size_t left) {
  const bool uneven = left > tiling.mr && left < tiling.mr + tiling.mr / 2;
  return tiling.even_tails && uneven ? (left + 1) / 2 : std::min(tiling.mr, left);
}

/// Calls tile(row, rows, column, columns) for every register tile of a block.
template <typename TileFn>
void for_each_tile(const Tiling& tiling, const Block& block, const TileFn& tile) {
  for (size_t col = block.col0; col < block.col1; col += tiling.nr) {
    const size_t columns = std::min(tiling.nr, block.col1 - col);
    for (size_t row = block.row0, rows = 0; row < block.row1; row += rows) {
      rows = tile_rows(tiling, block.row1 - row);
      tile(row, rows, col, columns);
    }
  }
}

}  // namespace qgemm
