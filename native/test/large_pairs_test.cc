#include "core/large_pairs.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <thread>
#include <vector>

#include "core/cpu.h"
#include "core/dispatch.h"
#include "core/thread_pool.h"
#include "test/driver_oracle.h"

namespace qgemm {
namespace test {
namespace {

// As weights are, few are large: the sum of six.
std::vector<int8_t> bell_codes(size_t count, Random* random) {
  std::vector<int8_t> codes(count);
  for (int8_t& code : codes) {
    int64_t sum = 0;
    for (int term = 0; term < 6; ++term) sum += random->integer(-26, 26);
    code = static_cast<int8_t>(std::clamp<int64_t>(sum, -127, 127));
  }
  return codes;
}

WeightsPtr pack(const std::vector<int8_t>& codes, size_t n, size_t k) {
  const float scale = 0.01f;
  return pack_int8(codes.data(), false, WeightLayout{k, 1}, n, k, &scale, nullptr, Granularity::per_tensor,
                   RowRange::asymmetric);
}

QGEMM_TEST(every_large_pair_is_found_where_it_lies) {
  Random random;
  for (const size_t n : {1, 100, 300}) {
    for (const size_t k : {7, 768, 1601}) {
      const std::vector<int8_t> codes = bell_codes(n * k, &random);
      const WeightsPtr w = pack(codes, n, k);
      const std::unique_ptr<LargePairList> list(find_large_pairs(static_cast<const int8_t*>(w->panels),
                                                                 w->padded_n() / kPanelColumns, w->padded_k(),
                                                                 w->panel_stride(), SIZE_MAX));
      const LargePairs& large = list->view;
      size_t expected = 0, found = 0;
      for (size_t i = 0; i < n * ((k + 1) / 2); ++i) {
        const size_t column = i % n, k0 = i / n * 2;
        const int w0 = codes[column * k + k0], w1 = k0 + 1 < k ? codes[column * k + k0 + 1] : 0;
        if (std::abs(w0 + w1) <= kMaxPairSum) continue;
        ++expected;
        const LargePairBlock& block = large.blocks[k0 / kPairDepth * large.groups + column / kPairColumns];
        const size_t at = k0 % kPairDepth / 2;
        EXPECT(block.limits[at] * std::abs(w0 + w1) <= INT16_MAX, "[%zu, %zu]: the limit is too high", column, k0);
        for (size_t p = at == 0 ? 0 : block.ends[at - 1]; p < block.ends[at]; ++p) {
          const LargePair& pair = large.pairs[block.start + p];
          found += pair.column == column && pair.weights[0] == w0 && pair.weights[1] == w1;
        }
      }
      EXPECT(found == expected, "n=%zu k=%zu: %zu of %zu large pairs are listed", n, k, found, expected);
      EXPECT(n * k < 10000 || expected > 0, "n=%zu k=%zu has no large pair: nothing was tested", n, k);
    }
  }
}

QGEMM_TEST(pairs_are_found_when_they_are_asked_for_again) {
  Random random;
  const WeightsPtr bell = pack(bell_codes(64 * 900, &random), 64, 900);
  EXPECT(bell->large_pairs.get(*bell) == nullptr, "weights were searched at their first use");
  const LargePairs* second = bell->large_pairs.get(*bell);
  EXPECT(second != nullptr && bell->large_pairs.get(*bell) == second, "the list is not made once and kept");
  const WeightsPtr large = pack(std::vector<int8_t>(64 * 900, 127), 64, 900);
  for (int i = 0; i < 3; ++i) EXPECT(large->large_pairs.get(*large) == nullptr, "all pairs are large: call %d", i);
}

QGEMM_TEST(threads_may_ask_at_once) {
  Random random;
  const WeightsPtr w = pack(bell_codes(512 * 900, &random), 512, 900);
  const LargePairs* lists[4][50];
  std::vector<std::thread> threads;
  for (auto& seen : lists) {
    threads.emplace_back([&] {
      for (const LargePairs*& list : seen) list = w->large_pairs.get(*w);
    });
  }
  for (std::thread& thread : threads) thread.join();
  const LargePairs* const made = w->large_pairs.get(*w);
  EXPECT(made != nullptr, "nobody made the list");
  for (const auto& seen : lists) {
    for (const LargePairs* list : seen) EXPECT(list == nullptr || list == made, "two lists were made");
  }
}

// The first call has no list, the others do: all give what the oracle gives, on any part of the columns.
QGEMM_TEST(every_use_gives_the_same_bytes) {
  Random random;
  DispatchConfig config;
  config.features = cpu_features() & kAvx2;
  set_dispatch_config(config);
  for (const size_t m : {1, 2, 31, 33, 130}) {
    for (const size_t threads : {1, 3}) {
      ThreadPool::instance().set_num_threads(threads);
      const size_t n = 1185, k = 900;
      DriverCase c = DriverCase::int8(m, n, k, false, RowRange::asymmetric, &random);
      c.weights = pack(bell_codes(n * k, &random), n, k);
      for (float& x : c.x) x = random.real(-1.0f, 1.0f) * (random.chance(100) ? 1.33f : 1.0f);
      for (int use = 1; use <= 3; ++use) {
        std::vector<float> y(m * n);
        EXPECT(linear_forward(*c.weights, c.x.data(), m, false, c.epilogue(), y.data()) == Status::ok, "m=%zu", m);
        const size_t bad = c.first_difference(y);
        EXPECT(bad == y.size(), "m=%zu threads=%zu use %d: y[%zu, %zu] differs from the oracle", m, threads, use,
               bad / n, bad % n);
      }
    }
  }
}

}  // namespace
}  // namespace test
}  // namespace qgemm
