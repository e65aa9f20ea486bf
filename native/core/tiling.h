#pragma once
#include <algorithm>
#include <atomic>
#include <cstddef>

#include "core/aligned_buffer.h"
#include "core/cpu.h"
#include "core/thread_pool.h"

namespace qgemm {

/// How one multiplication is cut into tasks: blocks of rows that stay in the level-2 cache, times groups of columns.
/// Within a task every column tile meets all row tiles, so that weights come from far once per block of rows.
struct Tiling {
  size_t m, n;
  size_t mr, nr;         // register tile
  size_t block_rows;     // multiple of mr
  size_t group_columns;  // multiple of nr and of the panel width
  size_t row_blocks, column_groups;

  size_t tasks() const { return row_blocks * column_groups; }
};

inline Tiling make_tiling(size_t m, size_t n, size_t k, size_t mr, size_t nr, size_t row_bytes) {
  // A task below this many multiply-adds costs more to hand out than to do (some microseconds).
  constexpr size_t kMinTask = size_t{1} << 19;
  const size_t l2 = cpu_caches().l2 != 0 ? cpu_caches().l2 : size_t{1} << 20;
  Tiling tiling = {m, n, mr, nr, 0, 0, 0, 0};
  const size_t rows_in_cache = std::max(l2 / 16 / std::max(row_bytes, size_t{1}), 16 * mr);
  // Blocks of equal size: a small last one would leave a thread idle.
  const size_t blocks = std::max((m + rows_in_cache - 1) / rows_in_cache, size_t{1});
  tiling.block_rows = round_up((m + blocks - 1) / blocks, mr);
  tiling.row_blocks = (m + tiling.block_rows - 1) / tiling.block_rows;
  const size_t step = std::max(nr, size_t{32});
  const size_t work_per_step = std::max(std::min(m, tiling.block_rows) * step * std::max(k, size_t{1}), size_t{1});
  const size_t steps = std::max((kMinTask + work_per_step - 1) / work_per_step, size_t{1});
  tiling.group_columns = std::min(steps * step, round_up(n, step));
  tiling.column_groups = (n + tiling.group_columns - 1) / tiling.group_columns;
  return tiling;
}

/// Calls tile(row, rows, column, columns) for every register tile. False when cancelled.
template <typename TileFn>
bool for_each_tile(const Tiling& tiling, const std::atomic<bool>* cancel, const TileFn& tile) {
  struct Context {
    const Tiling* tiling;
    const TileFn* tile;
  } context = {&tiling, &tile};
  const auto task = [](void* opaque, size_t index) {
    const auto& [t, run] = *static_cast<const Context*>(opaque);
    const size_t row0 = index / t->column_groups * t->block_rows, row1 = std::min(t->m, row0 + t->block_rows);
    const size_t col0 = index % t->column_groups * t->group_columns, col1 = std::min(t->n, col0 + t->group_columns);
    for (size_t col = col0; col < col1; col += t->nr) {
      const size_t columns = std::min(t->nr, col1 - col);
      for (size_t row = row0; row < row1; row += t->mr) (*run)(row, std::min(t->mr, row1 - row), col, columns);
    }
  };
  if (tiling.tasks() == 1) {
    if (cancel != nullptr && cancel->load(std::memory_order_relaxed)) return false;
    task(&context, 0);
    return true;
  }
  return ThreadPool::instance().parallel_for(tiling.tasks(), task, &context, cancel);
}

}  // namespace qgemm
