#include "core/tiling.h"

#include "core/thread_pool.h"
#include "kernels/ask_shares.h"
#include "test/harness.h"

namespace qgemm {
namespace test {
namespace {

Tiling tile(size_t threads, size_t m, size_t n, size_t k, size_t mr, size_t nr) {
  ThreadPool::instance().set_num_threads(threads);
  return make_tiling({m, n, k, mr, nr, k, n * k, Blocks::none});
}

QGEMM_TEST(blocks_cover_every_output_once) {
  for (const size_t threads : {1, 2, 3, 16}) {
    for (const size_t m : {1, 33, 300}) {
      for (const size_t n : {1, 32, 384, 1000, 4096}) {
        for (const size_t nr : {32, 128, 512}) {
          const Tiling t = tile(threads, m, n, 768, 32, nr);
          size_t outputs = 0;
          for (size_t i = 0; i < t.tasks(); ++i) {
            const Block b = t.block(i);
            EXPECT(b.row0 < b.row1 && b.col0 < b.col1, "task %zu of m=%zu n=%zu nr=%zu is empty", i, m, n, nr);
            EXPECT(b.col0 % kPanelColumns == 0, "m=%zu n=%zu nr=%zu: a block starts within a panel", m, n, nr);
            outputs += (b.row1 - b.row0) * (b.col1 - b.col0);
          }
          EXPECT(outputs == m * n, "m=%zu n=%zu nr=%zu: blocks have %zu outputs", m, n, nr, outputs);
        }
      }
    }
  }
}

QGEMM_TEST(threads_get_equal_shares_of_few_columns) {
  for (const size_t n : {384, 768, 1536}) {
    const Tiling t = tile(2, 16, n, 768, 32, 512);
    EXPECT(t.tasks() % 2 == 0, "16x768x%zu: %zu tasks for two threads", n, t.tasks());
    const Block last = t.block(t.tasks() - 1);
    EXPECT(last.col1 - last.col0 == t.group_columns, "16x768x%zu: the last task is smaller than the others", n);
  }
  // One row takes as long as two; with three or four tasks it would take longer than with two.
  for (const size_t n : {768, 1024}) EXPECT(tile(2, 1, n, n, 1, 128).tasks() == 2, "1x%zux%zu is not halved", n, n);
  const Tiling small = tile(2, 1, 384, 384, 1, 512);
  EXPECT(small.tasks() == 1, "1x384x384 is not worth handing out, and has %zu tasks", small.tasks());
}

QGEMM_TEST(threads_get_equal_shares_of_rows) {
  // A call takes 24 rows, of which any eight will do.
  ThreadPool::instance().set_num_threads(2);
  for (const size_t m : {64, 128, 512}) {
    const Tiling t = make_tiling({m, 768, 768, 24, 64, 768, 768 * 768, Blocks::none, {2, 24, 8, 0}});
    EXPECT(t.row_blocks % 2 == 0 && m % t.block_rows == 0, "%zu rows in %zu blocks of %zu", m, t.row_blocks,
           t.block_rows);
    EXPECT(t.mr == 24, "a call takes %zu rows", t.mr);
  }
}

QGEMM_TEST(threads_share_few_rows_where_weights_are_near) {
  ThreadPool::instance().set_num_threads(2);
  const auto shared = [](size_t m, size_t n, size_t k) {
    return make_tiling({m, n, k, 24, 64, k, n * k, Blocks::none, {2, 24, 8, 0}});
  };
  const size_t l2 = cpu_caches().l2 != 0 ? cpu_caches().l2 : size_t{1} << 20;
  for (const size_t m : {16, 20, 24, 46}) {
    const Tiling near = shared(m, 256, l2 / 4 / 256);
    EXPECT(near.row_blocks == 2, "%zu rows are in %zu blocks by near weights", m, near.row_blocks);
    EXPECT(near.block_rows * 2 - m < 4, "%zu rows in blocks of %zu", m, near.block_rows);
    const Tiling farther = shared(m, 256, l2 / 4 / 256 + 4);
    EXPECT(farther.row_blocks == 1, "%zu rows are in %zu blocks by weights farther away", m, farther.row_blocks);
  }
  EXPECT(shared(15, 384, 384).row_blocks == 1, "fifteen rows are shared");
}

QGEMM_TEST(threads_share_rows_of_narrow_matrices) {
  ThreadPool::instance().set_num_threads(2);
  const auto shared = [](size_t m, size_t n, size_t k) {
    return make_tiling({m, n, k, 24, 64, k, n * k, Blocks::none, {2, 24, 8, 0}});
  };
  struct Shape {
    size_t m, n, k;
  };
  // Hardly any multiplications, but rows to prepare; short ones; few columns of weights that are not near.
  for (const Shape& s : {Shape{128, 2, 768}, Shape{32, 1, 768}, Shape{1000, 8, 8}, Shape{16, 64, 16384}}) {
    const Tiling t = shared(s.m, s.n, s.k);
    EXPECT(t.row_blocks == 2 && t.column_groups == 1, "%zux%zux%zu: %zu x %zu tasks", s.m, s.k, s.n, t.row_blocks,
           t.column_groups);
  }
  EXPECT(shared(16, 2, 768).tasks() == 1, "16x768x2 is not worth handing out");
  // Three panels of far weights, which by columns would be two and one.
  TilingRequest three = {12, 90, 6000, 12, 32, 24000, 96 * 24000, Blocks::none, {1, 12, 6, 0}, true};
  EXPECT(make_tiling(three).row_blocks == 2, "12x6000x90 in %zu blocks of rows", make_tiling(three).row_blocks);
  three.by_rows = false;
  EXPECT(make_tiling(three).row_blocks == 1, "12x6000x90 is shared by rows without being told");
  const size_t l2 = cpu_caches().l2 != 0 ? cpu_caches().l2 : size_t{1} << 20;
  EXPECT(shared(16, 96, l2 / 64).row_blocks == 1, "16 rows by 96 columns of far weights are shared by rows");
}

// Three or five blocks of rows, and nothing else to hand out, would leave one of two threads without work in the end.
QGEMM_TEST(threads_get_equally_many_blocks_of_rows) {
  const auto blocks_of = [](size_t threads, size_t m, size_t n, size_t k) {
    ThreadPool::instance().set_num_threads(threads);
    return make_tiling({m, n, k, 24, 64, k, n * k, Blocks::none, {2, 24, 8, 0}});
  };
  const size_t l2 = cpu_caches().l2 != 0 ? cpu_caches().l2 : size_t{1} << 20;
  const size_t k = l2 / 16 / 128;  // 128 rows are a block
  for (const size_t m : {300, 604, 1300}) {
    const Tiling two = blocks_of(2, m, 64, k), four = blocks_of(4, m, 64, k), one = blocks_of(1, m, 64, k);
    EXPECT(two.tasks() % 2 == 0 && two.block_rows <= 128, "%zu rows: %zu tasks for two threads", m, two.tasks());
    EXPECT(four.tasks() % 4 == 0 && four.block_rows <= 128, "%zu rows: %zu tasks for four threads", m, four.tasks());
    EXPECT(one.tasks() == (m + 127) / 128, "%zu rows: %zu tasks for one thread", m, one.tasks());
  }
  EXPECT(blocks_of(2, 300, 4096, 4096).row_blocks == 3, "three blocks with many columns each are cut further");
}

QGEMM_TEST(long_rows_of_narrow_matrices_stay_in_the_cache) {
  ThreadPool::instance().set_num_threads(1);
  const size_t l2 = cpu_caches().l2 != 0 ? cpu_caches().l2 : size_t{1} << 20;
  const size_t k = 2 * l2 / 128 / sizeof(float);
  const auto block_rows = [](size_t m, size_t n, size_t depth) {
    const size_t row_bytes = depth * sizeof(float);
    return make_tiling({m, n, depth, 12, 32, row_bytes, n * row_bytes, Blocks::none}).block_rows;
  };
  EXPECT(block_rows(512, 64, k) == 24, "512 long rows by 64 columns in blocks of %zu", block_rows(512, 64, k));
  EXPECT(block_rows(512, 64, k / 2) >= 128, "rows half as long in blocks of %zu", block_rows(512, 64, k / 2));
  EXPECT(block_rows(512, 256, k) >= 128, "rows by 256 columns in blocks of %zu", block_rows(512, 256, k));
}

// A kernel that takes blocks: the matrix unit's, with its register tile of 32 x 32.
Tiling blocks(size_t threads, size_t m, size_t n, size_t k) {
  ThreadPool::instance().set_num_threads(threads);
  return make_tiling({m, n, k, 32, 32, k, n * k, Blocks::matrix_unit});
}

QGEMM_TEST(whole_blocks_are_one_call_each) {
  for (const size_t threads : {1, 2, 3, 16}) {
    for (const size_t m : {3, 33, 300, 2000}) {
      for (const size_t n : {1, 384, 1000, 4096}) {
        const Tiling t = blocks(threads, m, n, 768);
        size_t calls = 0, outputs = 0;
        for (size_t i = 0; i < t.tasks(); ++i) {
          for_each_tile(t, t.block(i), [&](size_t, size_t rows, size_t, size_t columns) {
            ++calls;
            outputs += rows * columns;
          });
        }
        EXPECT(calls == t.tasks(), "threads=%zu m=%zu n=%zu: %zu calls for %zu blocks", threads, m, n, calls,
               t.tasks());
        EXPECT(outputs == m * n, "threads=%zu m=%zu n=%zu: %zu outputs", threads, m, n, outputs);
      }
    }
  }
}

QGEMM_TEST(threads_with_rows_of_their_own_have_some_tasks_of_equal_columns) {
  for (const size_t m : {64, 128, 512}) {
    const Tiling t = blocks(2, m, 768, 768);
    EXPECT(t.row_blocks == 2, "%zu rows in %zu blocks", m, t.row_blocks);
    EXPECT(t.column_groups >= 4 && 768 % t.group_columns == 0, "%zux768x768: %zu groups of %zu columns", m,
           t.column_groups, t.group_columns);
  }
}

QGEMM_TEST(the_matrix_unit_shares_what_takes_longer_than_sharing) {
  EXPECT(blocks(1, 64, 4096, 768).column_groups == 1, "one thread cuts columns into %zu groups",
         blocks(1, 64, 4096, 768).column_groups);
  // Five and ten microseconds of work.
  EXPECT(blocks(2, 16, 384, 384).tasks() == 1, "16x384x384 has %zu tasks", blocks(2, 16, 384, 384).tasks());
  EXPECT(blocks(2, 16, 768, 768).tasks() == 1, "16x768x768 has %zu tasks", blocks(2, 16, 768, 768).tasks());
  // Few rows, but weights that one level-2 cache does not hold and two do.
  for (const size_t m : {3, 4, 16}) {
    EXPECT(blocks(2, m, 3072, 768).tasks() >= 2, "%zux768x3072 has %zu tasks", m, blocks(2, m, 3072, 768).tasks());
  }
}

// A kernel that arranges up to 512 rows.
Tiling packed(size_t threads, size_t m, size_t n, size_t k) {
  const RowShares row_shares = m <= rows_for_window(k) ? RowShares{2, 16, 16, 1024} : RowShares{32, 128, 128, 384};
  ThreadPool::instance().set_num_threads(threads);
  return make_tiling({m, n, k, 512, 32, k, n * k, Blocks::packed_rows, row_shares});
}

QGEMM_TEST(packed_rows_meet_all_columns_of_a_thread) {
  for (const size_t m : {40, 128, 500, 512}) {
    const Tiling t = packed(1, m, 3072, 768);
    EXPECT(t.tasks() == 1, "%zux768x3072 has %zu tasks for one thread", m, t.tasks());
  }
  EXPECT(packed(1, 1300, 3072, 768).row_blocks == 3, "1300 rows in %zu blocks", packed(1, 1300, 3072, 768).row_blocks);
  // Threads have rows of their own from 128 each on, and share columns of fewer.
  EXPECT(packed(2, 512, 768, 768).block_rows == 256, "512 rows in blocks of %zu", packed(2, 512, 768, 768).block_rows);
  const Tiling some = packed(2, 96, 768, 768);
  EXPECT(some.row_blocks == 1 && some.column_groups == 2, "96x768x768 in %zu x %zu blocks", some.row_blocks,
         some.column_groups);
  // And so few that the window is faster: even shares.
  const Tiling few = packed(2, 43, 768, 768);
  EXPECT(few.tasks() == 2 && few.block_rows == 22, "43x768x768 in %zu blocks of %zu rows", few.tasks(), few.block_rows);
}

QGEMM_TEST(tiles_ask_for_all_lines_once_and_evenly) {
  for (const size_t lines : {1, 2, 3, 6, 8, 16}) {
    for (size_t tiles = 1; tiles <= 40; ++tiles) {
      EXPECT(lines_before(0, tiles, lines) == 0, "%zu tiles, %zu lines: some come before the first", tiles, lines);
      EXPECT(lines_before(tiles, tiles, lines) == lines, "%zu tiles do not ask for %zu lines", tiles, lines);
      const size_t most = (lines + tiles - 1) / tiles + 2;  // of pairs
      for (size_t tile = 0; tile < tiles; ++tile) {
        const size_t before = lines_before(tile, tiles, lines), after = lines_before(tile + 1, tiles, lines);
        EXPECT(before <= after && after - before < most, "tile %zu of %zu asks for lines %zu to %zu of %zu", tile,
               tiles, before, after, lines);
        EXPECT(after - before <= 1 || (after - before) % 2 == 0 || after == lines, "tile %zu of %zu: no pairs", tile,
               tiles);
      }
    }
  }
}

}  // namespace
}  // namespace test
}  // namespace qgemm
