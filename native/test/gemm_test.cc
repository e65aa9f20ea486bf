#include "core/gemm.h"

#include <atomic>
#include <cfenv>
#include <cmath>
#include <cstring>
#include <vector>

#include "core/cpu.h"
#include "core/dispatch.h"
#include "core/thread_pool.h"
#include "test/driver_oracle.h"

namespace qgemm {
namespace test {
namespace {

std::vector<float> forward(const DriverCase& c) {
  std::vector<float> y(c.m * c.weights->n, NAN);
  const Status status = linear_forward(*c.weights, c.x.data(), c.m, false, c.epilogue(), y.data());
  EXPECT(status == Status::ok, "status %d", static_cast<int>(status));
  return y;
}

bool equal(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

// Chosen by the dispatcher, not forced: what users run.
QGEMM_TEST(every_batch_size_matches_the_oracle) {
  Random random;
  for (size_t m = 1; m <= 40; m += slow_cpu() ? 3 : 1) {
    for (const size_t n : {1, 32, 100, 384}) {
      const DriverCase c = DriverCase::int8(m, n, 200, m % 3 == 0, RowRange::asymmetric, &random);
      EXPECT(c.first_difference(forward(c)) == m * n, "int8 m=%zu n=%zu differs from the oracle", m, n);
      const DriverCase f = DriverCase::float32(m, n, 200, &random);
      EXPECT(f.first_difference(forward(f)) == m * n, "float32 m=%zu n=%zu differs", m, n);
    }
  }
}

QGEMM_TEST(same_bytes_from_any_number_of_threads) {
  Random random;
  for (const size_t m : {1, 4, 67, 150}) {
    if (slow_cpu() && m == 150) continue;
    for (const bool int8 : {true, false}) {
      const DriverCase c = int8 ? DriverCase::int8(m, 515, 700, false, RowRange::asymmetric, &random)
                                : DriverCase::float32(m, 515, 700, &random);
      ThreadPool::instance().set_num_threads(1);
      const std::vector<float> one = forward(c);
      for (const size_t threads : {2, 3, 8}) {
        if (slow_cpu() && threads != 3) continue;
        ThreadPool::instance().set_num_threads(threads);
        EXPECT(equal(forward(c), one), "m=%zu int8=%d: %zu threads give other bytes than one", m, int8, threads);
      }
    }
  }
}

// Float32 rows of few columns are read where they lie, and shared in other ways; rows of 1024 in tiles of their own.
QGEMM_TEST(same_bytes_of_few_columns_from_any_number_of_threads) {
  Random random;
  for (const size_t m : {2, 12, 40, 150}) {
    for (const size_t n : {1, 8, 20, 33, 90, 190}) {
      const DriverCase c = DriverCase::float32(m, n, m == 40 ? 1024 : 1500, &random);
      for (const size_t threads : {1, 2, 5}) {
        if (slow_cpu() && (threads == 5 || m == 150)) continue;
        ThreadPool::instance().set_num_threads(threads);
        EXPECT(c.first_difference(forward(c)) == m * n, "m=%zu n=%zu on %zu threads differs from the oracle", m, n,
               threads);
      }
    }
  }
}

// Several threads prepare rows for themselves, in memory that they keep: another call's rows must never be taken for
// ours.
QGEMM_TEST(calls_of_many_sizes_follow_each_other) {
  Random random;
  ThreadPool::instance().set_num_threads(3);
  std::vector<DriverCase> cases;
  for (const size_t m : {200, 7, 64, 1, 33}) {
    cases.push_back(DriverCase::int8(m, 300, 500, m % 2 == 0, RowRange::asymmetric, &random));
    cases.push_back(DriverCase::float32(m, 300, 500, &random));
  }
  std::vector<std::vector<float>> first;
  for (const DriverCase& c : cases) {
    first.push_back(forward(c));
    EXPECT(c.first_difference(first.back()) == c.m * c.weights->n, "m=%zu differs from the oracle", c.m);
  }
  for (int round = 1; round < 3; ++round) {
    for (size_t i = 0; i < cases.size(); ++i) {
      EXPECT(equal(forward(cases[i]), first[i]), "round %d, m=%zu differs from the first", round, cases[i].m);
    }
  }
}

QGEMM_TEST(the_result_may_lie_anywhere_in_the_input) {
  Random random;
  const size_t m = 130, n = 160, k = 256;
  for (const bool int8 : {true, false}) {
    DriverCase c =
        int8 ? DriverCase::int8(m, n, k, false, RowRange::asymmetric, &random) : DriverCase::float32(m, n, k, &random);
    c.residual.clear();
    for (const size_t threads : {1, 4}) {
      ThreadPool::instance().set_num_threads(threads);
      const std::vector<float> expected = forward(c);
      for (const size_t offset : {size_t{0}, k, m * (k - n), m * k - 1}) {
        std::vector<float> memory(c.x);
        memory.resize(offset + m * n > m * k ? offset + m * n : m * k);
        const Status status = linear_forward(*c.weights, memory.data(), m, false, c.epilogue(), memory.data() + offset);
        const bool same = std::memcmp(memory.data() + offset, expected.data(), m * n * sizeof(float)) == 0;
        EXPECT(status == Status::ok && same, "int8=%d threads=%zu offset=%zu: other bytes", int8, threads, offset);
      }
    }
  }
}

QGEMM_TEST(a_row_alone_gives_the_bytes_it_gives_in_a_batch) {
  Random random;
  for (const bool int8 : {true, false}) {
    const size_t m = 37, n = 97, k = 300;
    DriverCase c =
        int8 ? DriverCase::int8(m, n, k, true, RowRange::asymmetric, &random) : DriverCase::float32(m, n, k, &random);
    c.residual.clear();
    const std::vector<float> batch = forward(c);
    for (size_t i = 0; i < m; ++i) {
      DriverCase alone = c;
      alone.m = 1;
      alone.x.assign(c.x.begin() + i * k, c.x.begin() + (i + 1) * k);
      EXPECT(equal(forward(alone), {batch.begin() + i * n, batch.begin() + (i + 1) * n}), "int8=%d row %zu", int8, i);
    }
  }
}

QGEMM_TEST(empty_sizes) {
  Random random;
  for (const size_t m : {0, 3}) {
    for (const size_t n : {0, 5}) {
      for (const size_t k : {0, 7}) {
        if (m != 0 && n != 0 && k != 0) continue;
        const DriverCase c = DriverCase::int8(m, n, k, false, RowRange::asymmetric, &random);
        EXPECT(c.first_difference(forward(c)) == m * n, "int8 m=%zu n=%zu k=%zu", m, n, k);
        const DriverCase f = DriverCase::float32(m, n, k, &random);
        EXPECT(f.first_difference(forward(f)) == m * n, "float32 m=%zu n=%zu k=%zu", m, n, k);
      }
    }
  }
}

QGEMM_TEST(non_finite_rows) {
  Random random;
  DriverCase c = DriverCase::int8(3, 40, 70, false, RowRange::asymmetric, &random);
  c.x[5] = NAN;
  c.x[71] = INFINITY;
  c.x[72] = -INFINITY;
  EXPECT(c.first_difference(forward(c)) == 3 * 40, "rows with NaN and infinities differ from the oracle");
  std::vector<float> y(3 * 40);
  EXPECT(linear_forward(*c.weights, c.x.data(), 3, true, c.epilogue(), y.data()) == Status::non_finite,
         "NaN was not refused");
}

QGEMM_TEST(the_callers_floating_point_environment_is_neither_used_nor_changed) {
  Random random;
  const DriverCase c = DriverCase::int8(70, 200, 300, false, RowRange::asymmetric, &random);
  const std::vector<float> usual = forward(c);
  std::fesetround(FE_UPWARD);
  const std::vector<float> upward = forward(c);
  const int rounding = std::fegetround();
  std::fesetround(FE_TONEAREST);
  EXPECT(equal(upward, usual), "the caller's rounding mode changes the result");
  EXPECT(rounding == FE_UPWARD, "the caller's rounding mode was changed");
}

QGEMM_TEST(a_cancelled_call_says_so) {
  Random random;
  const DriverCase c = DriverCase::int8(64, 512, 512, false, RowRange::asymmetric, &random);
  PreparedRows rows;
  EXPECT(prepare_rows(dynamic_input(*c.weights), c.input(), c.m, false, true, &rows) == Status::ok,
         "prepare_rows failed");
  std::vector<float> y(c.m * c.weights->n);
  const std::atomic<bool> cancelled{true}, running{false};
  EXPECT(gemm(*c.weights, rows, c.epilogue(), y.data(), &cancelled) == Status::cancelled, "the call was not cancelled");
  EXPECT(gemm(*c.weights, rows, c.epilogue(), y.data(), &running) == Status::ok, "the call was cancelled");
  EXPECT(c.first_difference(y) == y.size(), "prepare_rows and gemm differ from the oracle");
}

}  // namespace
}  // namespace test
}  // namespace qgemm
