#include "core/tiling.h"

#include "core/thread_pool.h"
#include "test/harness.h"

namespace qgemm {
namespace test {
namespace {

Tiling tile(size_t threads, size_t m, size_t n, size_t k, size_t mr, size_t nr) {
  ThreadPool::instance().set_num_threads(threads);
  return make_tiling({m, n, k, mr, nr, k, n * k, false});
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
  const Tiling small = tile(2, 1, 384, 384, 1, 512);
  EXPECT(small.tasks() == 1, "1x384x384 is not worth handing out, and has %zu tasks", small.tasks());
}

}  // namespace
}  // namespace test
}  // namespace qgemm
